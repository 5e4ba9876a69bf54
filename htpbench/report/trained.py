"""The report of a study that trained its own networks: weights of each regime, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas

from htpbench.records.results import Results
from htpbench.report.captions import scored as scored_on
from htpbench.report.certainty import certainty, objective
from htpbench.report.console import plain_lines
from htpbench.report.drawn import Figure
from htpbench.report.latex import write_latex
from htpbench.report.origin import regime_origins, summary
from htpbench.report.pages import Page
from htpbench.report.regimes import (
    agreement_table,
    failure_table,
    regime_finding,
    regime_table,
    scores,
)
from htpbench.report.report import Report, texts
from htpbench.report.seeds import difference_table, differences
from htpbench.report.text import write_csv
from htpbench.study.study import Study
from htpbench.systems.catalogue import metric


def regime_report(study: Study, rows: Results, folder: Path) -> Report:
    """Weights trained for each schedule, for all, and transferred, side by side."""
    found, reference = scores(rows), str(study.reference_combination())
    apart, sure = differences(rows, reference), certainty(study, rows)
    every = [
        regime_table(found, rows),
        difference_table(apart),
        sure,
        agreement_table(found),
        failure_table(rows),
    ]
    parts = [part for part in every if not part.empty]
    words = sure.to_dict("list").get("is", [])
    report = Report(
        shown=[plain_lines(part) for part in parts],
        finding=regime_finding(
            filter(None, words), reference, found, metric(objective(study)).head
        ),
    )
    parts = texts(parts)
    report.files.append(write_csv(found, folder, study.name))
    report.files.append(write_latex(parts, folder, study.name))
    page = Page(
        folder,
        study.name,
        study.title,
        report.finding,
        parts,
        [scored_on(rows), *summary(rows)],
        regime_origins(rows),
    )
    report.draw(page, regime_figures(study, found, apart, scored_on(rows), folder))
    return report


def regime_figures(
    study: Study, found: pandas.DataFrame, apart: pandas.DataFrame, caption: str, folder: Path
) -> Iterator[Figure]:
    """The figures of a study that trained its own networks."""
    from htpbench.report.figures.regimes import regimes
    from htpbench.report.figures.seeds import seeds

    name, title = study.name, study.title
    if len(set(found["lineage"])) > 1:
        yield name, partial(regimes, found, folder, name, title, caption)
    reference = study.reference_combination()
    below = f"{caption}; reference {reference}; bars: 95 % over subjects and seeds"
    yield f"{name}-seeds", partial(seeds, found, apart, folder, f"{name}-seeds", title, below)

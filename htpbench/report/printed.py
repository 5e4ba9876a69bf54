"""The report of a table of the H2OT paper: what is printed, and ours beside it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pandas

from htpbench.records.results import Results
from htpbench.report.captions import beside, beside_tables
from htpbench.report.current import current
from htpbench.report.drawn import Figure
from htpbench.report.frame import evaluated, measured_frames, printed_frames
from htpbench.report.latex import write_latex
from htpbench.report.origin import published_origins, summary
from htpbench.report.pages import Page
from htpbench.report.paper import published_table
from htpbench.report.published import published, remarks_shown
from htpbench.report.quantities import meters_of
from htpbench.report.relative import WORDS
from htpbench.report.report import Report, texts
from htpbench.report.sides import sides
from htpbench.report.text import write_csv
from htpbench.report.unprinted import unprinted
from htpbench.study.study import Study


def printing(study: Study) -> Study:
    """A published table's study with the meters of all that is printed there."""
    assert study.table is not None
    return study.model_copy(update={"meters": meters_of(study.table, published(study.table))})


def published_report(study: Study, everything: Results, folder: Path) -> Report:
    """Write ours beside the paper's table; `everything`: the rows of other studies too."""
    assert study.table is not None
    rows = everything.only(current(study, everything))
    comparison, remarks = published_table(study.table, rows), remarks_shown(study.table)
    further = unprinted(study.parsed(), study.table, rows)
    numbers = comparison.dropna(axis="columns", how="all")
    report = Report([write_csv(numbers, folder, study.name)], shown=[*told(comparison)])
    parts = texts([*sides(comparison), further, remarks])
    report.files.append(write_latex(parts, folder, study.name))
    page = Page(
        folder,
        study.name,
        study.title,
        "; ".join(told(comparison)),
        parts,
        [beside_tables(rows), *summary(rows)],
        published_origins(study.table, rows),
    )
    report.draw(page, published_figures(study, study.table, everything, folder))
    return report


def told(comparison: pandas.DataFrame) -> list[str]:
    """How many printed numbers are ours, and how many ratios agree."""
    done = [said for said in comparison["equal"] if said]
    words = comparison["verdict"].value_counts()
    lines = [
        f"{done.count('yes')} of {len(done)} computed cells equal the printed digit"
        if done
        else "no printed number stands beside one of ours"
    ]
    if words.sum():
        count = ", ".join(f"{word} {words[word]}" for word in WORDS if word in words)
        lines.append(f"of {words.sum()} numbers over those of the unpruned network: {count}")
    return lines


def published_figures(
    study: Study, table: int, everything: Results, folder: Path
) -> Iterator[Figure]:
    """The figure of a table of costs of unlike things; ours is what any study measured."""
    unlike = evaluated(table)
    if unlike is None:
        return
    from htpbench.report.figures.frame import frame

    printed = printed_frames(table)
    ours = measured_frames(printed, everything)
    caption = (
        "A pass of a seq2seq row gives all F poses: its printed cost / F; a seq2frame row needs a"
        " pass for each pose"
    )
    if unlike:
        told = "; ".join(one["text"] for one in unlike)
        caption += f". Whiskers end at the cost at which the error was measured: {told}"
    caption = ". ".join(filter(None, [caption, beside(one.error for one in ours)]))
    name, title = f"{study.name}-frame", f"{study.title}, by the cost of one output frame"
    yield name, partial(frame, printed, ours, folder, name, title, caption)

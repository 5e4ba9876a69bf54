"""A study's report: its table and its figure, from rows alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas
from rich.console import RenderableType

from htpbench.compare import BY_CLIP, FRAMES, difference
from htpbench.errors import BenchError
from htpbench.drafts import write_file
from htpbench.report.captions import chosen, linked, scored, timed
from htpbench.report.claims import claims_table
from htpbench.report.console import plain_lines, sweep_lines
from htpbench.report.current import current, in_order
from htpbench.report.latex import write_latex
from htpbench.report.lineages import agreement_table, lineage_table, scores, write_lineages
from htpbench.report.origin import (
    Cells,
    Environments,
    lineage_origins,
    published_origins,
    summary,
    sweep_origins,
)
from htpbench.report.page import write_page
from htpbench.report.published import built, remarks_shown
from htpbench.report.seeds import difference_table, differences
from htpbench.report.tables import (
    markdown,
    published_table,
    published_text,
    side_by_side,
    sweep_parts,
    sweep_table,
    write,
)
from htpbench.rows import Row, Store, latest
from htpbench.study import Study

FLOPS = "cost.flops"
Reported = tuple[list[pandas.DataFrame], list[Path]]


def report_study(
    study: Study, results: Path, reports: Path
) -> tuple[list[RenderableType], list[Path]]:
    """Rebuild a study's report from the rows under `results`, of all machines."""
    store = Store(results)
    rows = current(study, store.read())
    if study.table is not None:
        comparison, files = published_report(study, rows, reports / study.name, store.environments)
        done = comparison[comparison["equal"] != ""]
        equal = int((done["equal"] == "yes").sum())
        return [f"{equal} of {len(done)} computed cells equal the printed digit"], files
    if not rows:
        raise BenchError(
            f"no rows of {study.name} under {results}; measure it with `htpbench sweep "
            f"{study.name}`, or name their folder with --results"
        )
    return measured_report(study, rows, reports / study.name, store.environments)


def measured_report(
    study: Study, rows: Iterable[Row], folder: Path, environments: Environments
) -> tuple[list[RenderableType], list[Path]]:
    """Write what the study's kind of report is; returns what a terminal shows, and the files."""
    rows = in_order(study, rows)
    if study.training:
        return lineage_report(study, rows, folder, environments)
    tables, files = sweep_report(study, rows, folder, environments)
    return [sweep_lines(table, study.objectives) for table in tables], files


def lineage_report(
    study: Study, rows: list[Row], folder: Path, environments: Environments
) -> tuple[list, list[Path]]:
    """Weights trained for each schedule, for all, and transferred, side by side."""
    from htpbench.report.figures.lineages import lineages
    from htpbench.report.figures.seeds import seeds

    found, told, reference = scores(rows), scored(rows), str(study.anchor())
    if found.empty:
        raise BenchError(f"{study.name}: no MPJPE yet; see the reasons with `htpbench sweep`")
    apart = differences(rows, reference)
    every = [lineage_table(found, rows), difference_table(apart), agreement_table(found)]
    parts = [part for part in every if not part.empty]
    files = write_lineages(found, parts, folder, study.name)
    drawn: list[Path] = []
    if len(set(found["lineage"])) > 1:
        drawn += lineages(found, folder, study.name, study.title, told)
    below = f"{told}; reference {reference}; bars: 95 % of the mean over seeds, from clips"
    drawn += seeds(found, apart, folder, f"{study.name}-seeds", study.title, below)
    captions = [told, *summary(rows, environments)]
    origins = lineage_origins(rows, environments)
    files += typeset(parts, folder, study.name, study.title, captions, origins, drawn)
    return [plain_lines(part) for part in parts], [*files, *drawn]


def sweep_report(
    study: Study, rows: Iterable[Row], folder: Path, environments: Environments
) -> Reported:
    """Write <folder>/<study>.md, .csv, .tex, .html and the figures whose data are there.

    seq2seq and seq2frame score different frames, so each has a table of its own; the one that the
    reference does not belong to is named <study>-<pipeline>.
    """
    rows = list(rows)
    anchor = study.anchor()
    own = anchor.pipeline(study.pipeline)
    pipelines = [own, *sorted({row.conditions.get("pipeline", own) for row in rows} - {own})]
    tables, files = [], []
    for pipeline in pipelines:
        mine = [row for row in rows if row.conditions.get("pipeline", own) == pipeline]
        name = study.name if pipeline == own else f"{study.name}-{pipeline}"
        table = with_delta(sweep_table(mine), mine, str(anchor))
        tables.append(table)
        files += write(table, folder, name)
        drawn = figures(study, table, rows, mine, folder, name)
        captions = [scored(mine), *summary(mine, environments)]
        origins = sweep_origins(mine, str(anchor), environments)
        parts = sweep_parts(table)
        if study.claims:
            stated = claims_table(study.claims, table, str(anchor))
            files.append(write_file(folder / f"{name}-claims.md", markdown(stated).encode()))
            parts.append(stated)
        files += typeset(parts, folder, name, study.title, captions, origins, drawn)
        files += drawn
    return tables, files


def typeset(
    parts: list[pandas.DataFrame],
    folder: Path,
    name: str,
    title: str,
    captions: list[str],
    origins: Cells,
    drawn: Iterable[Path],
) -> list[Path]:
    """Write tables of texts as <name>.tex, and with the figures as <name>.html."""
    parts = [part.astype(str) for part in parts if not part.empty]
    page = write_page(parts, folder, name, title, captions, origins, drawn)
    return [write_latex(parts, folder, name), page]


def figures(
    study: Study,
    table: pandas.DataFrame,
    rows: list[Row],
    mine: list[Row],
    folder: Path,
    name: str,
) -> list[Path]:
    """Draw the figures of one pipeline's table and rows (`mine`, of all the study's `rows`)."""
    from htpbench.report.figures.breakdown import breakdown  # seaborn is slow to import
    from htpbench.report.figures.graph import graph
    from htpbench.report.figures.grid import grid
    from htpbench.report.figures.kept import kept
    from htpbench.report.figures.pareto import pareto
    from htpbench.report.figures.speedup import speedup

    error, clock, title = scored(mine), timed(mine), study.title
    files: list[Path] = []
    if {"cost", "time", "sampling"} & set(study.meters) and "accuracy" in study.meters:
        told = f"{error}; bars: 95 % of the difference to the reference"
        files += pareto(table, folder, name, title, told)
    anchor = str(study.anchor())
    base = [r.value for r in rows if (r.combination, r.metric, r.status) == (anchor, FLOPS, "ok")]
    if base and isinstance(base[-1], int | float):
        told = f"{clock}; bars: 95 % of the measured ratio"
        files += speedup(table, base[-1], folder, f"{name}-speedup", title, told)
    told = f"{clock}; medians, measured one after the other: the speed-up is what is paired"
    files += breakdown(mine, folder, f"{name}-time", title, told)
    files += grid(table, folder, f"{name}-grid", title, f"{error}; reference {anchor}")
    files += kept(mine, folder, f"{name}-kept", title, chosen(mine))
    files += graph(mine, folder, f"{name}-graph", title, linked(mine))
    return files


def with_delta(table: pandas.DataFrame, rows: list[Row], reference: str) -> pandas.DataFrame:
    """Add how much each MPJPE differs from the reference's, or a note why that cannot be said."""
    found: dict[str, dict[str, Row]] = {}
    for row in latest(rows).values():
        if row.status == "ok":
            found.setdefault(row.combination, {})[row.metric] = row
    for index, name in enumerate(table["combination"]):
        mine, base = found.get(name, {}), found.get(reference, {})
        if name == reference or not {BY_CLIP, FRAMES} <= mine.keys() & base.keys():
            continue
        columns = ["accuracy.delta", "accuracy.delta.low", "accuracy.delta.high"]
        try:
            table.loc[index, columns] = difference(mine, base)
        except BenchError as error:
            told = [table.loc[index, "note"], str(error)]
            table.loc[index, "note"] = "; ".join(filter(None, told))
    return table


def published_report(
    study: Study, rows: list[Row], folder: Path, environments: Environments
) -> tuple:
    """Write ours beside the paper's table; returns the comparison and the files."""
    assert study.table is not None
    comparison, told = published_table(study.table, rows, built), remarks_shown(study.table)
    files = [*write(comparison, folder, study.name, lambda one: published_text(one, told))]
    origins = published_origins(study.table, rows, environments)
    parts, captions = [*side_by_side(comparison), told], summary(rows, environments)
    files += typeset(parts, folder, study.name, study.title, captions, origins, [])
    return comparison, files

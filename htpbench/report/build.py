"""A study's report: its table and its figure, from rows alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas
from rich.table import Table

from htpbench.combination import parse
from htpbench.compare import BY_CLIP, FRAMES, difference
from htpbench.errors import BenchError
from htpbench.report.console import plain_lines, sweep_lines
from htpbench.report.current import current
from htpbench.report.lineages import agreement, lineage_table, scores, write_lineages
from htpbench.report.tables import published_table, published_text, sweep_table, write
from htpbench.rows import Row, Store, latest
from htpbench.study import Study

Reported = tuple[list[pandas.DataFrame], list[Path]]


def report_study(
    study: Study, results: Path, reports: Path
) -> tuple[list[Table | str], list[Path]]:
    """Rebuild a study's report from the rows under `results`, of all machines."""
    rows = current(study, Store(results).read())
    if study.table is not None:
        comparison, files = published_report(study, rows, reports / study.name)
        done = comparison[comparison["equal"] != ""]
        equal = int((done["equal"] == "yes").sum())
        return [f"{equal} of {len(done)} computed cells equal the printed digit"], files
    if not rows:
        raise BenchError(
            f"no rows of {study.name} under {results}; measure it with `htpbench sweep "
            f"{study.name}`, or name their folder with --results"
        )
    return measured_report(study, rows, reports / study.name)


def measured_report(
    study: Study, rows: Iterable[Row], folder: Path
) -> tuple[list[Table | str], list[Path]]:
    """Write what the study's kind of report is; returns what a terminal shows, and the files."""
    if study.training:
        return lineage_report(study, list(rows), folder)
    tables, files = sweep_report(study, rows, folder)
    return [sweep_lines(table, study.objectives) for table in tables], files


def lineage_report(study: Study, rows: list[Row], folder: Path) -> tuple[list, list[Path]]:
    """Weights trained for each schedule, for all, and transferred, side by side."""
    from htpbench.report.figures.lineages import lineages

    found = scores(rows)
    files = write_lineages(found, folder, study.name)
    files += lineages(found, folder, study.name, study.title, caption(rows))
    return [plain_lines(lineage_table(found)), plain_lines(agreement(found).round(2))], files


def sweep_report(study: Study, rows: Iterable[Row], folder: Path) -> Reported:
    """Write <folder>/<study>.md, .csv, .png and .svg; returns tables and files.

    seq2seq and seq2frame score different frames, so each has a table of its own; the one that the
    reference does not belong to is named <study>-<pipeline>.
    """
    from htpbench.report.figures.pareto import pareto  # draws with seaborn, which is slow to import

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
        if {"cost", "time"} & set(study.meters) and "accuracy" in study.meters:
            files += pareto(table, folder, name, study.title, caption(mine))
    return tables, files


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


def published_report(study: Study, rows: Iterable[Row], folder: Path) -> tuple:
    """Write ours beside the paper's table; returns the comparison and the files."""
    assert study.table is not None
    comparison = published_table(
        study.table, rows, built=lambda combination: not parse(combination).missing()
    )
    return comparison, [*write(comparison, folder, study.name, published_text)]


def caption(rows: Iterable[Row]) -> str:
    """What the figure's accuracy was measured on, in one line."""
    told = [
        r.conditions for r in rows if r.metric == "accuracy.mpjpe" and "weights" in r.conditions
    ]
    if not told:
        return ""
    card = told[-1]
    return (
        f"{card['data']} ({card['split']} subjects, {card['windows']} windows), "
        f"{card['detections']} detections, weights {card['weights']}; "
        "bars: 95 % of the difference to the reference"
    )

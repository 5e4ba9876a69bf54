"""A study's report: its table and its figure, from rows alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy
import pandas
from rich.table import Table

from htpbench.combination import parse
from htpbench.errors import BenchError
from htpbench.report.console import sweep_lines
from htpbench.report.tables import published_table, published_text, sweep_table, write
from htpbench.rows import Row, Store, latest
from htpbench.statistics import mean_interval
from htpbench.study import Study

# Conditions that may differ between the combinations of one study without making them unlike.
OWN = {"pipeline", "stride", "windows", "flip_selection", "control", "trained"}
WEIGHTS = {"weights", "weights_sha256", "weights_seed", "flip"}  # a control has none


def current(rows: Iterable[Row]) -> list[Row]:
    """The rows that belong together: for each meter, those under the conditions of its newest."""
    rows = list(rows)
    newest: dict[str, Row] = {}
    for row in rows:
        if "control" not in row.conditions:
            meter = row.metric.partition(".")[0]
            newest[meter] = max(newest.get(meter, row), row, key=lambda one: one.at)
    return [
        row
        for row in rows
        if (other := newest.get(row.metric.partition(".")[0])) and alike(row, other)
    ]


def alike(row: Row, other: Row) -> bool:
    """Whether two rows of a meter were measured under the same conditions, machine included."""
    skipped = OWN | WEIGHTS if "control" in row.conditions else OWN
    mine = {key: value for key, value in row.conditions.items() if key not in skipped}
    theirs = {key: value for key, value in other.conditions.items() if key not in skipped}
    timed = row.metric.startswith("time.")
    return mine == theirs and (not timed or row.environment == other.environment)


def report_study(study: Study, results: Path, reports: Path) -> tuple[Table | str, list[Path]]:
    """Rebuild a study's report from the rows under `results`, of all machines."""
    rows = current(Store(results).read(study.name))
    if study.table is not None:
        comparison, files = published_report(study, rows, reports / study.name)
        done = comparison[comparison["equal"] != ""]
        equal = int((done["equal"] == "yes").sum())
        return f"{equal} of {len(done)} computed cells equal the printed digit", files
    if not rows:
        raise BenchError(
            f"no rows of {study.name} under {results}; measure it with `htpbench sweep "
            f"{study.name}`, or name their folder with --results"
        )
    table, files = sweep_report(study, rows, reports / study.name)
    return sweep_lines(table, study.objectives), files


def sweep_report(study: Study, rows: Iterable[Row], folder: Path) -> tuple[pandas.DataFrame, list]:
    """Write <folder>/<study>.md, .csv, .png and .svg; returns the table and the files."""
    from htpbench.report.figures import pareto  # draws with seaborn, which is slow to import

    rows = list(rows)
    table = with_delta(sweep_table(rows), rows, str(study.anchor()))
    files = [*write(table, folder, study.name)]
    if {"cost", "time"} & set(study.meters) and "accuracy" in study.meters:
        files += pareto(table, folder, study.name, study.title, caption(rows))
    return table, files


def with_delta(table: pandas.DataFrame, rows: list[Row], reference: str) -> pandas.DataFrame:
    """Add how much each MPJPE differs from the reference's, paired clip by clip."""
    lists: dict[tuple[str, str], Row] = {
        (row.combination, row.metric): row
        for row in latest(rows).values()
        if isinstance(row.value, list)
    }
    base = lists.get((reference, "accuracy.mpjpe_by_clip"))
    for index, name in enumerate(table["combination"]):
        mine = lists.get((name, "accuracy.mpjpe_by_clip"))
        if name == reference or base is None or mine is None or base.axis != mine.axis:
            continue
        frames = numpy.array(lists[name, "accuracy.frames_by_clip"].value)
        sums = (numpy.array(mine.value) - numpy.array(base.value)) * frames  # (clips,)
        columns = ["accuracy.delta", "accuracy.delta.low", "accuracy.delta.high"]
        table.loc[index, columns] = [sums.sum() / frames.sum(), *mean_interval(sums, frames)]
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

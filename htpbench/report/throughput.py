"""Clips and frames per second at several batch sizes, from rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import pandas

from htpbench.records.results import Results
from htpbench.records.row import Row, in_time
from htpbench.report.tables import amount
from htpbench.report.text import MARK
from htpbench.study.study import Study
from htpbench.systems.catalogue import metric as metric_of

CLIPS, SPEEDUP = "time.clips_per_second", "time.speedup"


class Point(NamedTuple):
    """One network at one batch size; `doubtful`: metrics that are not to be trusted."""

    combination: str
    batch: int
    clips: Row
    speedup: Row
    doubtful: Mapping[str, str]


def at_size(study: Study, rows: Results) -> list[Row]:
    """The rows without those of batch sizes that tables do not show."""
    known = sizes(rows)
    size = study.timing.size if study.timing.size in known or not known else known[0]
    return [row for row in rows if of_size(row, size)]


def of_size(row: Row, size: int) -> bool:
    """Whether a row is of a batch size; operations are told of one clip, and so of all."""
    return row.conditions.get("batch", size) == size or row.metric.startswith("cost.")


def by_size(rows: Results) -> list[Results]:
    """The rows of each batch size that was timed; all of them where there is one or none."""
    parts = [rows.only(row for row in rows if of_size(row, size)) for size in sizes(rows)]
    return parts if len(parts) > 1 else [rows]


def sizes(rows: Iterable[Row]) -> list[int]:
    """The batch sizes that were timed, rising."""
    known = {row.conditions.get("batch") for row in rows if row.metric == CLIPS}
    return sorted(size for size in known if size is not None)


def points(rows: Results) -> list[Point]:
    """Every network at every size, in the order of the rows; [] of fewer than two sizes."""
    known = sizes(rows)
    found = []
    for size in known if len(known) > 1 else ():
        mine = rows.only(row for row in rows if row.conditions.get("batch") == size)
        for name in dict.fromkeys(row.combination for row in mine):
            clips, speedups = (in_time(mine.cells.get((name, one), [])) for one in (CLIPS, SPEEDUP))
            if clips and speedups:
                found.append(
                    Point(name, size, clips[-1], speedups[-1], mine.doubtful.get(name, {}))
                )
    return found


def throughput_table(rows: Results) -> pandas.DataFrame:
    """One line a network, as texts: clips per second and speed-up at each size; else empty."""
    lines: dict[str, dict[str, str]] = {}
    for one in points(rows):
        line = lines.setdefault(one.combination, {"combination": one.combination})
        for row, head in ((one.clips, "clips per second"), (one.speedup, "speed-up (x)")):
            line[f"{head}, batch {one.batch}"] = (
                f"{MARK * (row.metric in one.doubtful)}{shown(row)}"
            )
    table = pandas.DataFrame(lines.values())
    heads = sorted(table.columns.drop("combination")) if lines else []
    by_size = sorted(heads, key=lambda head: int(head.rpartition(" ")[2]))
    return table.loc[:, ["combination", *by_size]].fillna("") if lines else table


def shown(row: Row) -> str:
    """A number with its interval."""
    metric = metric_of(row.metric)
    value, *ends = (one and amount(one, metric) for one in (row.value, row.low, row.high))  # type: ignore
    return f"{value} [{', '.join(ends)}]" if all(ends) else str(value)  # type: ignore[arg-type]

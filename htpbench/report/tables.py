"""Rows as one table: a line for each combination, as numbers and as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas

from htpbench.outside.printable import first_of
from htpbench.records.results import Results
from htpbench.records.row import Row, in_time
from htpbench.report.text import MARK
from htpbench.systems.catalogue import tabled
from htpbench.systems.metric import Metric

# The operations and the speed-up of one pass, or of all calls where poses are sampled.
DOUBTED = f"{MARK}: a time that is not to be trusted."
CURE = "Close what runs and sweep again with --retry, or add --wait-quiet MINUTES."
ONE_PASS, ALL_CALLS = ("cost.flops", "time.speedup"), ("sampling.flops", "sampling.speedup")


def sweep_table(rows: Iterable[Row]) -> pandas.DataFrame:
    """One line per combination, in order of first appearance, in base units.

    Columns combination, the numbers that meters declare and those of meters that are not installed
    (with `.low` and `.high` where intervals are printed; NaN without an ok row), note: the
    reasons of rows that are not ok, and which metrics were measured under several conditions, of
    which the newest is shown; and doubt: which times are not to be trusted, and why.
    """
    results = Results.of(rows)
    measured, doubtful = results.cells, results.doubtful
    lines: dict[str, dict[str, object]] = {}
    notes: dict[str, dict[str, list[str]]] = {}  # combination -> what is said -> of which metrics
    for (combination, metric), found in measured.items():
        line = lines.setdefault(combination, {"combination": combination})
        remarks = [f"{row.status}: {row.reason}" for row in found if row.status != "ok"]
        ok = in_time(found)
        for row in ok[-1:]:
            line |= {metric: row.value, f"{metric}.low": row.low, f"{metric}.high": row.high}
        if len(ok) > 1:
            remarks.append(f"the newest of several ({', '.join(_unlike(ok))})")
        for text in remarks:
            notes.setdefault(combination, {}).setdefault(text, []).append(metric)
    found = tabled((name, row.unit) for (_, name), rows in measured.items() for row in rows)
    numbers = [name for metric in found for name in (metric.name, *metric.bounds)]
    table = pandas.DataFrame(lines.values(), columns=["combination", *numbers])
    table = table.astype({"combination": str, **dict.fromkeys(numbers, float)})
    table = table.assign(
        note=[_note(notes.get(name, {})) for name in lines],
        doubt=[max(doubtful.get(name, {}).values(), key=len, default=None) for name in lines],
    )
    protocols = {row.conditions.get("protocol") for rows in measured.values() for row in rows}
    table.attrs |= {"metrics": tuple(found), "doubtful": doubtful, "protocols": protocols}
    return table


def metrics_of(table: pandas.DataFrame) -> tuple[Metric, ...]:
    """The metrics of a `sweep_table` in the order of its columns."""
    return table.attrs["metrics"]


def axes_of(table: pandas.DataFrame) -> tuple[str, str]:
    """The operations and the speed-up that a `sweep_table` is about."""
    return ONE_PASS if table[ALL_CALLS[1]].dropna().empty else ALL_CALLS


def sweep_parts(table: pandas.DataFrame) -> list[pandas.DataFrame]:
    """A `sweep_table` as texts in the units people use: what is compared, then the rest."""
    parts: list[dict[str, list[str]]] = [{}, {}]
    for metric in metrics_of(table):
        cells = numbers(table, metric)
        if any(cells):
            parts[not metric.first][metric.column] = cells
    if any(table["note"]):
        parts[0]["note"] = list(table["note"])
    shown = [pandas.DataFrame({"combination": table["combination"], **part}) for part in parts]
    return [table for table, part in zip(shown, parts, strict=True) if part] or shown[:1]


def doubts(table: pandas.DataFrame) -> str:
    """Which times of a `sweep_table` are not to be trusted, why, and the cure; "" where all are."""
    told = table.dropna(subset="doubt")
    if told.empty:
        return ""
    others = f"; {len(told) - 1} more" if len(told) > 1 else ""
    first = told.iloc[0]
    return f"{DOUBTED} {first['combination']}: {first['doubt']}{others}. {CURE}"


def _note(said: dict[str, list[str]]) -> str:
    """What is said, and of which metrics: the first of them and how many more."""
    return "; ".join(f"{first_of(metrics)}: {text}" for text, metrics in said.items())


def _unlike(rows: list[Row]) -> list[str]:
    """The conditions in which rows of unlike keys differ, else what else a key depends on."""
    names = sorted({name for row in rows for name in row.conditions})
    unlike = [
        n for n in names if any(r.conditions.get(n) != rows[0].conditions.get(n) for r in rows)
    ]
    return unlike or ["machine or meter"]


def amount(value: float, metric: Metric, sign: str = "") -> str:
    """A metric's number as text in the unit that people read, "" for NaN; `sign` "+" shows both."""
    if math.isnan(value):
        return ""
    scaled = value / metric.scale
    tiny = metric.scale > 1 and 0 < abs(scaled) < 1  # small models keep telling digits
    return format(scaled, f"{sign}#.3g" if tiny else f"{sign}.{metric.decimals}f")


def numbers(table: pandas.DataFrame, metric: Metric, bounds: bool = True) -> list[str]:
    """Cells as text in the unit that people read: "12.20 [12.10, 12.30]", "" for NaN.

    A MARK leads what a busy machine timed.
    """
    doubtful = table.attrs["doubtful"]
    marks = [MARK * (metric.name in doubtful.get(name, ())) for name in table["combination"]]
    values = [amount(value, metric) for value in table[metric.name]]
    cells = [f"{mark}{cell}" if cell else "" for mark, cell in zip(marks, values, strict=True)]
    if not (metric.bounds and bounds):
        return cells
    low, high = ([amount(value, metric) for value in table[bound]] for bound in metric.bounds)
    return [
        f"{cell} [{a}, {b}]" if a and b else cell
        for cell, a, b in zip(cells, low, high, strict=True)
    ]

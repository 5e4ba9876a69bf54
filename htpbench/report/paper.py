"""Ours beside the numbers that a paper prints: one line per printed number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import pandas

from htpbench.errors import BenchError
from htpbench.records.pairing import BY_CLIP, FRAMES, comparable, difference
from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.report.published import (
    decimals,
    explained,
    published,
    same_digit,
    scale_of,
    unpruned,
)
from htpbench.report.quantities import (
    COUNTED,
    KIND_OF,
    OF_3DHP,
    QUANTITIES,
    SHARE,
    SHOWN_AN_EPOCH,
    Quantity,
    of_accuracy,
    quantity,
    rate,
)
from htpbench.report.relative import NOT_MEASURED, Ratio, our_ratio, printed_ratio, verdict
from htpbench.systems.catalogue import exclusive
from htpbench.systems.combination import parse

COLUMNS = ["row", "method", "combination", "pipeline", "metric", "unit", "printed"]
RELATIVE = ["printed_relative", "relative", "low", "high", "verdict"]
Line = dict[str, Any]


def published_table(table: int, rows: Iterable[Row]) -> pandas.DataFrame:
    """One line per printed number of the paper's table, with ours, both in `unit`.

    Columns row, method, combination, pipeline, metric, unit, printed (text), ours (NaN if none),
    equal ("yes" or "no" at the printed digit, "" for what is not counted), why (there is none, it
    is not equal, or nothing can be told), and where the number is one of a machine, of a pruned
    network: printed_relative, relative with low and high (over the unpruned network; of a share
    itself; of an error the difference in mm) and verdict (see `htpbench.report.relative.verdict`).
    """
    found, known = finder(table, rows), explained(table)
    cells = published(table).to_dict("records")
    bases, printed = unpruned(cells), {(one["row"], one["metric"]): one for one in cells}
    lines = []
    for cell in cells:
        asked, results = quantity(table, cell["metric"], cell["pipeline"]), found(cell)
        row = row_of(results, asked.ours, cell)
        line = {**cell, **absolute(table, cell, row)}
        whole = printed.get((bases.get(cell["row"]), cell["metric"]))
        if asked.gained and (whole or cell["metric"] == SHARE):
            line |= relative(cell, whole or cell, asked, results)
        elif whole and of_accuracy(asked.ours) and row is not None and row.status == "ok":
            line |= apart(cell, whole, results)
        line.setdefault("why", "")
        if not line["why"] and line["equal"] == "no":
            line["why"] = known.get((cell["row"], cell["metric"]), "")
        lines.append(line)
    comparison = pandas.DataFrame(lines, columns=[*COLUMNS, "ours", "equal", *RELATIVE, "why"])
    return comparison.astype(dict.fromkeys(("ours", *RELATIVE[:-1]), float))


def finder(table: int, rows: Iterable[Row]) -> Callable[[Line], Results]:
    """Of a printed number the rows that may stand beside it: those of its use, if there are any.

    Errors are of its data, use and frame rate.
    """
    every = Results.of(rows)
    every = every.only(row for row in every if not by_an_older_clock(row) and plain(row.conditions))

    @cache
    def found(pipeline: str, hz: float | None) -> Results:
        fit = [
            row
            for row in every
            if not of_accuracy(row.metric) or scores(row.conditions, table, pipeline, hz)
        ]
        near = [row for row in fit if row.conditions.get("pipeline") == pipeline]
        known = {(row.combination, row.metric) for row in near if row.status == "ok"}
        return every.only(
            row
            for row in fit
            if row.conditions.get("pipeline") == pipeline
            or (row.combination, row.metric) not in known
        )

    return lambda cell: found(cell["pipeline"], rate(table, cell["metric"]))


def row_of(results: Results, metric: str, cell: Mapping[str, Any]) -> Row | None:
    """The row of ours that stands beside a printed number."""
    return closest(results.cells.get((cell["combination"], metric), []), cell["pipeline"])


def plain(card: Mapping[str, Any]) -> bool:
    """Whether torch ran the network, in float32, as for the papers."""
    return "engine" not in card and card.get("dtype", "float32") == "float32"


def by_an_older_clock(row: Row) -> bool:
    """Whether a row is of a clock that told nothing of processes, so that no ratio can be made."""
    return exclusive(row.metric) and "processes" not in row.conditions


def scores(card: Mapping[str, Any], table: int, pipeline: str, hz: float | None) -> bool:
    """Whether an error is of trained weights, and of the data, use and rate that are printed."""
    if (table == OF_3DHP) != ("3dhp" in str(card.get("data"))):
        return False
    if card.get("weights") == "random" or pipeline not in ("", card.get("pipeline")):
        return False
    rate = card.get("frame_rate")  # a list where data were filmed at several
    return hz is None or (isinstance(rate, int | float) and round(rate, 1) == hz)


def absolute(table: int, cell: Line, row: Row | None) -> Line:
    """Ours in the printed unit; where there is none, why."""
    if row is None or row.status != "ok":
        return {"equal": "", "why": missing(table, cell, row)}
    value = float(row.value)  # type: ignore[arg-type]  # ok rows of cells hold one number
    if cell["unit"] == "min/epoch":
        return {"ours": SHOWN_AN_EPOCH / cell["frames"] / value / 60, "equal": ""}
    same = cell["metric"] in COUNTED and same_digit(value, cell["printed"], cell["unit"])
    equal = ("no", "yes")[same] if cell["metric"] in COUNTED else ""
    return {"ours": value / scale_of(cell["unit"]), "equal": equal}


def relative(cell: Line, whole: Line, asked: Quantity, results: Results) -> Line:
    """What pruning makes of a number of a machine, printed and ours, with a word."""
    told = {"printed_relative": printed_ratio(cell, whole)}
    mine, base = (results.measured.get(one["combination"], {}) for one in (cell, whole))
    ours = our_ratio(cell["metric"], asked, mine, base)
    if not isinstance(ours, Ratio):
        return told if ours == NOT_MEASURED else told | {"verdict": "cannot tell", "why": ours}
    rounding = 0.5 * 10.0 ** -decimals(cell["printed"]) if cell["metric"] == SHARE else 0.0
    word = verdict(told["printed_relative"], ours, rounding)
    return told | {"relative": ours.value, "low": ours.low, "high": ours.high, "verdict": word}


def apart(cell: Line, whole: Line, results: Results) -> Line:
    """By how much an error differs from the unpruned network's, printed and ours."""
    mine, base = (results.measured.get(one["combination"], {}) for one in (cell, whole))
    told = {"printed_relative": cell["value"] - whole["value"]}
    metric = QUANTITIES[cell["metric"]].ours
    if not all({BY_CLIP, FRAMES, metric} <= card.keys() for card in (mine, base)):
        return told | {"why": "the unpruned network was not scored, so that no difference is known"}
    try:
        comparable(mine, base)
    except BenchError as error:
        return told | {"why": f"no difference to the unpruned network: {error}"}
    ours = difference([(mine, base)], metric)
    low, high = ours.interval()
    return told | {"relative": ours.value, "low": low, "high": high}


def closest(found: list[Row], pipeline: str) -> Row | None:
    """An ok row of this pipeline, else of any: the cost is the network's, whatever its use."""
    return max(
        found,
        key=lambda row: (row.status == "ok", row.conditions.get("pipeline") == pipeline, row.at),
        default=None,
    )


def missing(table: int, cell: Line, row: Row | None) -> str:
    """Why a printed number has none of ours, and what would give it."""
    if row is not None:
        return f"{row.status}: {row.reason}"
    if not cell["combination"]:
        return "the paper does not say which schedule this is"
    try:
        parse(cell["combination"])
    except BenchError as error:
        return f"cannot be built: {error}"
    if cell["metric"] == "frame_noise" and "+" not in cell["combination"]:
        return "an unpruned network chooses no frames"
    kind = KIND_OF[quantity(table, cell["metric"]).meter]
    if kind == "accuracy":
        dataset = "MPI-INF-3DHP" if table == OF_3DHP else "Human3.6M with the paper's 2D detections"
        return (
            f"needs {dataset} and weights trained on it: "
            f"`htpbench reproduce table{table} --data SPEC --weights FOLDER`"
        )
    if kind == "cost":
        return f"not measured: run `htpbench cost --study table{table}`"
    return f"not measured: run `htpbench reproduce table{table} --only {kind}`"

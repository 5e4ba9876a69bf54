"""A published table for people: costs, what pruning gains, errors, and what is empty and why."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import pandas

from htpbench.report.published import as_printed, decimals, saving
from htpbench.report.quantities import COUNTED, QUANTITIES, SHARE, of_accuracy

NAMED = ("row", "method", "combination", "pipeline")
INTERVAL = ("relative", "low", "high")
DIGITS = 2  # behind the point, of a ratio
Cell = dict[str, Any]


def sides(comparison: pandas.DataFrame) -> list[pandas.DataFrame]:
    """A `published_table` as tables of texts that fit a page.

    First what is counted, a line a method, with what pruning saves of it; then one table for each
    metric of which there is any of ours; then what the paper prints beyond; then why it is empty.
    """
    cells: list[Cell] = comparison.to_dict("records")  # type: ignore[assignment]
    by_metric: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_metric[cell["metric"]].append(cell)
    counted = [cell for cell in cells if cell["metric"] in COUNTED]
    rest = {metric: found for metric, found in by_metric.items() if metric not in COUNTED}
    known = {metric for metric, found in rest.items() if any(map(ours, found))}
    alone = [cell for cell in cells if cell["metric"] in rest.keys() - known]
    beyond = [beside(found) for metric, found in rest.items() if metric in known]
    parts = costs(counted, saving(comparison)), *beyond, printed(alone), reasons(cells)
    return [part for part in parts if not part.empty]


def ours(cell: Cell) -> bool:
    """Whether there is anything of ours beside a printed number."""
    return not math.isnan(cell["ours"]) or not math.isnan(cell["relative"])


def costs(cells: Iterable[Cell], saved: Mapping[int, float]) -> pandas.DataFrame:
    """What is counted, printed and ours; what pruning saves (%) is computed from our numbers."""
    lines: dict[int, Cell] = {}
    for cell in cells:
        line = lines.setdefault(cell["row"], {name: cell[name] for name in NAMED})
        head, known = named(cell), cell["equal"] != ""
        line[f"{head} printed"] = cell["printed"]
        line[f"{head} ours"] = as_printed(cell["ours"], cell["printed"], "") if known else ""
        line[f"{head.partition(' (')[0]} ="] = cell["equal"]
    for row, percent in saved.items():
        lines[row]["FLOPs saved (%) ours"] = f"{percent:.1f}"
    return pandas.DataFrame(lines.values()).fillna("")


def beside(cells: Iterable[Cell]) -> pandas.DataFrame:
    """One metric, printed and ours, and both over the unpruned network of the same table."""
    frame = pandas.DataFrame([line(cell) for cell in cells])
    return frame.loc[:, (frame != "").any()]


def line(cell: Cell) -> dict[str, str]:
    """A line of `beside`, all columns in it."""
    head, share = named(cell), cell["metric"] == SHARE
    signed = of_accuracy(QUANTITIES[cell["metric"]].ours)
    over = "minus unpruned" if signed else "over unpruned"
    digits = DIGITS + share  # of a small share two tell nothing
    texts = [number(cell[name], signed, digits) for name in ("printed_relative", *INTERVAL)]
    interval = f" [{texts[2]}, {texts[3]}]" if texts[1] and texts[2] != texts[3] else ""
    return {
        "row": str(cell["row"]),
        "combination": cell["combination"],
        f"{head} printed": cell["printed"],
        ours_of(cell["metric"], cell["unit"]): "" if math.isnan(cell["ours"]) else amount(cell),
        f"printed, {over}": "" if share else texts[0],
        "ours, with its interval" if share else f"ours, {over}": texts[1] + interval,
        "verdict": cell["verdict"] if isinstance(cell["verdict"], str) else "",
    }


def number(value: float, signed: bool, digits: int) -> str:
    """A ratio, or with its sign a difference; "" for none."""
    return "" if math.isnan(value) else f"{value:{'+' if signed else ''}.{digits}f}"


def amount(cell: Cell) -> str:
    """Ours with one digit more than is printed, small ones with three digits."""
    behind = decimals(cell["printed"]) + 1
    return f"{cell['ours']:.{behind}f}" if abs(cell["ours"]) >= 1 else f"{cell['ours']:.3g}"


def named(cell: Cell) -> str:
    """A printed metric for people, with its unit."""
    head = QUANTITIES[cell["metric"]].head
    return head if cell["unit"] == "1" else f"{head} ({cell['unit']})"


def ours_of(metric: str, unit: str) -> str:
    """The head of ours; frame noise is printed in mm, and ours is in pixels."""
    asked = QUANTITIES[metric]
    unit = asked.unit or unit
    return f"{asked.head} ours" if unit == "1" else f"{asked.head} ({unit}) ours"


def printed(cells: Iterable[Cell]) -> pandas.DataFrame:
    """What the paper prints where there is none of ours: a line a method."""
    lines: dict[int, Cell] = {}
    for cell in cells:
        name = cell["combination"] or cell["method"]
        line = lines.setdefault(cell["row"], {"row": cell["row"], "combination": name})
        line[f"{named(cell)} printed"] = cell["printed"]
    return pandas.DataFrame(lines.values()).fillna("")


def reasons(cells: Iterable[Cell]) -> pandas.DataFrame:
    """Why cells are empty or tell nothing, and in which rows."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    count: Counter[str] = Counter()
    for cell in cells:
        head = QUANTITIES[cell["metric"]].head
        count[head] += 1
        if cell["why"] and cell["equal"] != "no":
            found[head, cell["why"]].append(str(cell["row"]))
    lines = [
        (head, why, "all" if len(rows) == count[head] else ", ".join(rows))
        for (head, why), rows in found.items()
    ]
    return pandas.DataFrame(lines, columns=["metric", "why", "rows"])

"""Which printed numbers have one of ours, by table and metric, and what fills the holes."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import pandas

from htpbench.records.results import Results
from htpbench.report.current import current
from htpbench.report.paper import published_table
from htpbench.report.printed import printing
from htpbench.report.quantities import KIND_OF, KINDS, quantity
from htpbench.report.relative import WORDS
from htpbench.study.study import Study

STATES = ("equal", "differs", "relative", "ours", "missing")
FIELDS = ("table", "row", "combination", "metric", "unit", "printed", "ours", "state", "verdict")
NUMBERS = ("printed_relative", "relative", "low", "high")
COMMAND = re.compile(r":(?: run)? `(htpbench [^`]+)`")
Cell = dict[str, Any]


def cells(
    studies: Iterable[Study], everything: Results, kinds: Collection[str] = KINDS
) -> list[Cell]:
    """Every printed number of some tables: FIELDS, NUMBERS and why, None where there is none.

    state: a count is `equal` to the printed digit, or `differs`; a number of a machine is told
    `relative` to the unpruned network, with a verdict; `ours` stands beside the printed one, but is
    of another machine or other data; or it is `missing`.
    """
    found = []
    for study in map(printing, studies):
        rows = everything.only(current(study, everything))
        assert study.table is not None
        for line in published_table(study.table, rows).to_dict("records"):
            if kind_of(study.table, line["metric"]) not in kinds:
                continue
            told = {name: None if pandas.isna(value) else value for name, value in line.items()}
            known = {"table": study.table, "state": state(told)}
            found.append({name: {**told, **known}[name] for name in (*FIELDS, *NUMBERS, "why")})
    return found


def kind_of(table: int, metric: str) -> str:
    """The kind of a printed metric, as people ask for it."""
    return KIND_OF[quantity(table, metric).meter]


def state(line: Cell) -> str:
    """How a printed number stands to ours; see `cells`."""
    if line["equal"]:
        return "equal" if line["equal"] == "yes" else "differs"
    if line["verdict"] is not None:
        return "relative"
    return "missing" if line["ours"] is None else "ours"


def grid(found: Sequence[Cell]) -> pandas.DataFrame:
    """A line a table, a column a kind of metric: how many cells are in which state."""
    lines: dict[int, dict[str, Counter[str]]] = {}
    for cell in found:
        line = lines.setdefault(cell["table"], {kind: Counter() for kind in KINDS})
        kind = kind_of(cell["table"], cell["metric"])
        line[kind][cell["verdict" if cell["state"] == "relative" else "state"]] += 1
    return pandas.DataFrame(
        {"table": table, **{kind: words(count) for kind, count in line.items()}}
        for table, line in lines.items()
    )


def words(count: Counter[str]) -> str:
    """How many are what: "23 agrees, 1 differs"."""
    known = [name for name in (*STATES, *WORDS) if count[name]]
    return ", ".join(f"{count[name]} {name}" for name in dict.fromkeys(known))


def summary(found: Sequence[Cell]) -> str:
    """All cells in one line."""
    states = Counter(cell["state"] for cell in found)
    verdicts = Counter(cell["verdict"] for cell in found if cell["state"] == "relative")
    told = ", ".join(f"{name} {states[name]}" for name in STATES)
    agree = ", ".join(f"{name} {verdicts[name]}" for name in WORDS)
    return f"of {len(found)} printed numbers: {told}; of the relative ones: {agree}"


def holes(found: Sequence[Cell]) -> pandas.DataFrame:
    """Why cells are missing, how many, and the command that fills them."""
    count = Counter((cell["table"], cell["why"]) for cell in found if cell["state"] == "missing")
    lines = [
        {
            "table": table,
            "missing": number,
            "why": COMMAND.sub("", why),
            "command": next(iter(COMMAND.findall(why)), ""),
        }
        for (table, why), number in count.items()
    ]
    return pandas.DataFrame(lines, columns=["table", "missing", "why", "command"])


def as_json(found: Sequence[Cell]) -> str:
    """A list of objects."""
    return json.dumps(found, indent=1)

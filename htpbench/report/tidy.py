"""Rows as one long table, a line a number: what they are of and where from, in columns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pandas

from htpbench.errors import BenchError
from htpbench.records.results import Results
from htpbench.records.row import Row
from htpbench.systems.combination import parse

OWN = ("metric", "value", "unit", "low", "high", "samples", "status", "reason")
FACTS = ("machine", "device", "cpu", "threads", "torch")  # of the environment
COLUMNS = (
    *("study", "combination", "backbone", "variant", "frames", "pruner", "r", "b", "recoverer"),
    *("metric", "label", *OWN[1:]),
    *(*FACTS, "commit", "at", "conditions"),
)


def tidy(rows: Results) -> pandas.DataFrame:
    """The rows that hold, in base units; a list is a line for each value, its label beside it.

    r and b are texts as "121,81" and "0,3"; conditions are JSON. What a combination holds is left
    empty for controls, and for systems that are not installed.
    """
    return pandas.DataFrame([*lines(rows)], columns=[*COLUMNS])


def lines(rows: Results) -> Iterator[dict[str, Any]]:
    """A line for each value of each row."""
    parts: dict[str, dict[str, Any]] = {}
    for row in rows.held:
        if row.combination not in parts:
            parts[row.combination] = parts_of(row.combination)
        known = rows.environments.get(row.environment, {})
        line = {
            "study": row.study,
            "combination": row.combination,
            **parts[row.combination],
            **{name: getattr(row, name) for name in OWN},
            **{name: known.get(name) for name in FACTS},
            "commit": row.commit,
            "at": row.at,
            "conditions": json.dumps(row.conditions, sort_keys=True),
        }
        for label, value in values(row):
            yield {**line, "label": label, "value": value}


def values(row: Row) -> Iterator[tuple[str | None, float | None]]:
    """The values of a row with their labels."""
    if isinstance(row.value, list):
        yield from zip(map(str, row.axis or ()), row.value, strict=True)
    else:
        yield None, row.value


def parts_of(name: str) -> dict[str, Any]:
    """What a combination is made of; {} where nobody here knows it."""
    try:
        found = parse(name)
    except BenchError:
        return {}
    return {
        "backbone": found.backbone,
        "variant": found.variant,
        "frames": found.frames,
        "pruner": str(found.pruner) if found.pruner else None,
        "r": ",".join(str(r) for r, _ in found.schedule) or None,
        "b": ",".join(str(b) for _, b in found.schedule) or None,
        "recoverer": str(found.recoverer) if found.recoverer else None,
    }

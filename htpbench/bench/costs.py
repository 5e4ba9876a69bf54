"""Costs of combinations as plain numbers, kept in rows or not."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from typing import Any

from htpbench.bench.outcome import failure_reason
from htpbench.bench.runner import Runner, Tell
from htpbench.errors import BenchError, Faulty
from htpbench.measuring.counting import count
from htpbench.records.rows import Writer
from htpbench.systems.combination import Combination


def costs(
    combinations: Iterable[Combination], runner: Runner | None, tell: Tell
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Costs as plain numbers, and of each combination that is left out the reason.

    With a runner its rows are used and extended; without one nothing is kept.
    """
    counted: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    with runner.writer() if runner else nullcontext() as writer:
        for combination in combinations:
            tell(str(combination))
            try:
                found = cost(combination, runner, writer)
            except BenchError as error:
                if not isinstance(error, Faulty):
                    raise
                left_out[str(combination)] = str(error)
                continue
            except Exception as error:  # as in a sweep, one alone is broken
                left_out[str(combination)] = failure_reason(error)
                continue
            numbers = {name.partition(".")[2]: value for name, (value, _) in found.items()}
            note = next((note for _, note in found.values() if note), None)
            counted.append({"combination": str(combination), **numbers, "note": note})
    return counted, left_out


def cost(
    combination: Combination, runner: Runner | None, writer: Writer | None
) -> dict[str, tuple[Any, str | None]]:
    """Each metric of the cost of a combination, with its note; raises where it failed."""
    if runner and writer:
        rows = runner.measure(combination, writer).values()
        for row in rows:
            if row.status != "ok":
                raise RuntimeError(f"{row.metric} {row.status}: {row.reason}")
        return {row.metric: (row.value, row.reason) for row in rows}
    return {one.metric: (one.value, one.note) for one in count(combination)}

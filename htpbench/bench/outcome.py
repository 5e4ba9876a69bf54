"""What became of a measurement: its numbers, or the status and the reason why there are none."""

from __future__ import annotations

import re
from typing import Any

import torch

from htpbench.bench.job import Job
from htpbench.errors import BenchError, Faulty, OtherLengths, Pruned, TimedOut, interruption
from htpbench.records.measurement import Measurement
from htpbench.records.row import Row
from htpbench.systems.catalogue import declared, metric
from htpbench.systems.registry import imported_line

LONGEST = 2000  # characters of a reason
Outcome = tuple[dict[str, Measurement], str, str | None]  # what was measured, status, reason


def checked(wanted: Job, found: Any) -> dict[str, Measurement]:
    """Measurements by metric; Faulty unless they are those that the meter said it would make.

    A value or an end that a row could not hold is found here, where it costs one combination.
    """
    found = list(found) if isinstance(found, list | tuple) else [found]
    if not all(isinstance(one, Measurement) for one in found):  # one alone is a tuple of its fields
        said = f"the meter {wanted.meter} returned {found!r:.60}"
        raise Faulty(f"{said}; expected a list of Measurement")
    measured: dict[str, Measurement] = {one.metric: one for one in found}
    if len(measured) < len(found):
        raise Faulty(f"the meter {wanted.meter} measured a metric twice")
    if measured.keys() != wanted.keys.keys():
        missing, further = wanted.keys.keys() - measured, measured.keys() - wanted.keys
        said = [f"did not measure {name}" for name in sorted(missing)]
        why = {name: "does not apply" if declared(name) else "is not declared" for name in further}
        said += [f"measured {name}, which {why[name]}" for name in sorted(further)]
        raise Faulty(f"the meter {wanted.meter} {'; '.join(said)}")
    for one in measured.values():
        try:
            Row(key="", study="", environment="", combination=wanted.name, **told(one))
        except ValueError as error:
            raise Faulty(str(error)) from error
    return measured


def told(one: Measurement) -> dict[str, Any]:
    """The fields of a row that a measurement fills."""
    fields = one._asdict()
    return {"unit": metric(one.metric).unit, "reason": fields.pop("note"), **fields}


def failure(error: Exception | SystemExit) -> Outcome:
    """What a failed measurement is written as; raises what is not about one combination alone."""
    if isinstance(error, OtherLengths):
        return {}, "unsupported", str(error)[:LONGEST]
    if isinstance(error, Faulty):
        return {}, "failed", str(error)[:LONGEST]
    if isinstance(error, BenchError):
        raise error  # the user's to mend, and nothing to do with this combination alone
    if isinstance(error, TimedOut):
        return {}, "timeout", str(error)[:LONGEST]
    if isinstance(error, Pruned):
        low = Measurement(error.metric, None, low=error.least, note=str(error))  # type: ignore
        return {error.metric: low}, "pruned", str(error)
    return {}, "failed", failure_reason(error)  # one broken combination must not end a sweep


def failure_reason(error: Exception | SystemExit) -> str:
    """Why a measurement failed; what fills the memory says so in several ways.

    Raises KeyboardInterrupt where it did not fail but was stopped.
    """
    if stop := interruption(error):
        raise stop
    said = f"{type(error).__name__}: {error}{imported_line(error)}"
    if isinstance(error, MemoryError) or re.search(r"out of memory|allocate memory", said):
        torch.cuda.empty_cache()  # nothing where CUDA was not used
        said = f"out of memory: {said.splitlines()[0]}"
    return said[:LONGEST]

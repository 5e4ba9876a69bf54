"""What a gate requires of numbers that no pin can hold: `time.speedup >= 1.3`, on any machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from htpbench.errors import BenchError
from htpbench.gate.finding import Finding
from htpbench.gate.pinned import Rows, Unmeasured
from htpbench.records.row import Row, number
from htpbench.records.sessions import noise
from htpbench.report.tables import amount
from htpbench.study.constraint import Constraint, parse
from htpbench.study.study import Study
from htpbench.systems import catalogue


def requirements(texts: Iterable[str], study: Study) -> list[Constraint]:
    """What is required, each of a metric that the study measures."""
    found = [parse(text) for text in texts]
    for one in found:
        (meter,) = catalogue.measured_by([one.metric])
        if meter not in study.meters:
            raise BenchError(
                f"--require {one}: {study.name} does not measure {one.metric}; "
                f'add "{meter}" to its meters'
            )
    return found


def required(asked: Iterable[Constraint], after: Rows, reference: str) -> Iterator[Finding]:
    """What became of each requirement, network by network.

    An interval keeps a limit, or breaks it, as a whole; between, nobody can tell. The reference is
    not asked what it gains over itself.
    """
    for one in asked:
        metric = catalogue.metric(one.metric)
        rows = [row for (_, name), row in after.rows.items() if name == one.metric]
        if not rows:
            raise Unmeasured(f"--require {one}: nothing has {one.metric}; leave it out")
        for row in rows:
            if not (metric.to_reference and row.combination == reference):
                yield judged(row, one, doubt(row, after))


def doubt(row: Row, after: Rows) -> str:
    """Why a number cannot be judged; "" where it can."""
    if row.status != "ok":
        return f"{row.status}: {row.reason}"
    card = {metric: one for (name, metric), one in after.rows.items() if name == row.combination}
    why = noise(row.metric, card)
    return f"{why}; close what runs beside it and check again" if why else ""


def judged(row: Row, one: Constraint, why: str) -> Finding:
    """One number and what is required of it."""
    if why:
        return Finding(row, "missing", why=f"{one}: {why}")
    metric = catalogue.metric(row.metric, row.unit)
    bounds = [bound for bound in (row.low, row.high) if bound is not None] or [number(row)]
    broken = [one.excess(bound) > 0 for bound in bounds]
    state = "worse" if all(broken) else "unsure" if any(broken) else "kept"
    said = amount(number(row), metric)
    if len(bounds) > 1:
        said += f" [{', '.join(amount(bound, metric) for bound in bounds)}]"
    unit = metric.read or metric.unit
    return Finding(row, state, found=f"{said} {unit}".removesuffix(" 1"), why=f"required: {one}")

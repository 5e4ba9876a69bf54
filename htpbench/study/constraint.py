"""Constraints, as text: `cost.flops <= 0.2e9`, `time.speedup >= 1.2`, `time.p90 <= 30 ms`."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from htpbench.errors import BenchError, unknown
from htpbench.systems import catalogue

WRITTEN = re.compile(
    r"\s*([^\s<>=]+)\s*([<>]=)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\s\d.<>=]\S*)?\s*"
)


@dataclass(frozen=True)
class Constraint:
    """A metric that must not pass a limit; the limit itself is allowed."""

    metric: str
    sign: str  # "<=" or ">="
    limit: float

    def __str__(self) -> str:
        return f"{self.metric} {self.sign} {self.limit:g}"

    def excess(self, value: float) -> float:
        """How far a value is on the wrong side; 0 or less where it is allowed."""
        return value - self.limit if self.sign == "<=" else self.limit - value


def parse(text: str) -> Constraint:
    """Read `METRIC <= NUMBER [UNIT]` or `>=`, in the unit of rows or the one that people read.

    BenchError says what is expected.
    """
    if found := WRITTEN.fullmatch(text):
        metric, sign, number, unit = found.groups()
        limit = float(number) * (scale(metric, unit) if unit else 1)
        if math.isfinite(limit):
            return Constraint(metric, sign, limit)
    raise BenchError(
        f"constraint {text!r}: expected METRIC <= NUMBER or METRIC >= NUMBER, "
        "for example cost.flops <= 0.2e9 or time.p90 <= 30 ms"
    )


def scale(metric: str, unit: str) -> float:
    """What one of a unit is in the unit of a metric's rows."""
    catalogue.measured_by([metric])  # whether anybody measures it
    known = catalogue.metric(metric)
    units = {known.unit: 1.0, known.read or known.unit: known.scale}
    if unit not in units:
        raise unknown(f"unit of {metric}", unit, units)
    return units[unit]

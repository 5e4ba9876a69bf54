"""Constraints of a search, as text: `cost.flops <= 0.2e9`, `time.speedup >= 1.2`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from htpbench.errors import BenchError


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
    """Read `METRIC <= NUMBER` or `METRIC >= NUMBER`; BenchError says what is expected."""
    for sign in ("<=", ">="):
        metric, found, limit = (part.strip() for part in text.partition(sign))
        if metric and found:
            try:
                number = float(limit)
            except ValueError:
                break
            if math.isfinite(number):
                return Constraint(metric, sign, number)
    raise BenchError(
        f"constraint {text!r}: expected METRIC <= NUMBER or METRIC >= NUMBER, "
        "for example cost.flops <= 0.2e9"
    )

"""Who is on a front: what keeps every constraint, and what nothing else that does dominates.

Tables, figures and the cascade ask here. Optuna is told how far each constraint is passed and
judges by the same rule.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence

from htpbench.study.constraint import Constraint
from htpbench.systems import catalogue

Values = Mapping[str, float]  # metric -> value; what was not measured is missing or NaN


def keeps(values: Values, constraints: Iterable[Constraint]) -> bool:
    """Whether every constraint is known to be kept."""
    return all(one.excess(values.get(one.metric, math.nan)) <= 0 for one in constraints)


def less_is_better(metric: str, value: float) -> float:
    """The value, its sign turned where more is better."""
    return -value if catalogue.metric(metric).better == "more" else value


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether a point is as good in every number and better in one; less is better."""
    pairs = list(zip(one, other, strict=True))
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)


def front(
    lines: Iterable[Values], objectives: Sequence[str], constraints: Collection[Constraint] = ()
) -> list[bool]:
    """Which lines are on the front of the objectives; equal ones stay together."""
    points = [
        tuple(less_is_better(name, line.get(name, math.nan)) for name in objectives)
        if keeps(line, constraints)
        else (math.nan,)
        for line in lines
    ]
    known = {point for point in points if not any(map(math.isnan, point))}
    best = {point for point in known if not any(dominates(other, point) for other in known)}
    return [point in best for point in points]

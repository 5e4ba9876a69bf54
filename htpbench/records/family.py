"""Many comparisons in one study: corrected verdicts, ties, and what could have been told."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple, TypeVar

from htpbench.records.intervals import LEVEL, Estimate
from htpbench.records.judging import Word

Name = TypeVar("Name", bound=Hashable)


class Comparison(NamedTuple):
    """One of a study's comparisons; within `floor` of 0 two networks are the same."""

    apart: Estimate
    floor: float
    better: str  # "less" or "more"


def words(family: Sequence[Comparison]) -> list[Word]:
    """The verdicts, of which one is wrong in 20 families: Holm's correction (1979).

    The sharpest must pass 0.05 / m, the next 0.05 / (m - 1), and so on to the first that fails.
    What is the `same` must lie within its floor at 1 - 0.05 / m.
    """
    found: list[Word] = ["unsure"] * len(family)
    ps = [one.apart.p(one.floor) for one in family]
    for done, index in enumerate(sorted(range(len(family)), key=lambda index: ps[index])):
        one = family[index]
        if ps[index] > (1 - LEVEL) / (len(family) - done):
            break
        found[index] = "better" if (one.apart.value > 0) == (one.better == "more") else "worse"
    for index, one in enumerate(family):
        low, high = one.apart.interval(1 - (1 - LEVEL) / len(family))
        if low is not None and high is not None and -one.floor <= low and high <= one.floor:
            found[index] = "same"
    return found


def tellable(one: Comparison, comparisons: int) -> float:
    """The smallest difference that is found in half of all cases, after the correction.

    Twice of it is found in nearly all.
    """
    return one.floor + one.apart.half(1 - (1 - LEVEL) / comparisons)


def ties(
    names: Sequence[Name], against: Callable[[Name, Sequence[Name]], Sequence[Word]]
) -> dict[Name, int]:
    """Name -> the number of its group; names come from the best down.

    A group holds its first and all that are left whose verdict against the first is neither better
    nor worse. against(first, others) judges the others in one family.
    """
    groups: dict[Name, int] = {}
    left = list(names)
    number = 0
    while left:
        number += 1
        first, *others = left
        told = dict(zip(others, against(first, others) if others else (), strict=True))
        group = [first, *(one for one in others if told[one] in ("same", "unsure"))]
        groups |= dict.fromkeys(group, number)
        left = [one for one in left if one not in group]
    return groups

"""One metric of two networks: how far apart they are, and what follows from the interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from htpbench.records.intervals import FEWEST_SEEDS, FEWEST_SUBJECTS, FLOOR, Estimate
from htpbench.records.pairing import WEIGHTS, Card, difference, paired, unlike
from htpbench.records.row import Row, number
from htpbench.records.sessions import few, ratio, timed
from htpbench.systems import catalogue

Pairs = Sequence[tuple[Card, Card]]  # B's and A's, for each training seed
Word = Literal["better", "same", "worse", "unsure", "none"]


@dataclass(frozen=True)
class Verdict:
    """B minus A in one metric, in base units, and what follows from its 95 % interval.

    `same`: the interval lies within FLOOR of A's value; `better`, `worse`: wholly outside;
    `unsure`: neither, or there is none, or `why` says what is too little. `none`: nobody says
    whether less or more of it is better. `conditions` are shared, `differing` maps a field of the
    compared systems to (A's, B's). Values and difference are means over training seeds.
    """

    metric: str
    unit: str
    a: float
    b: float
    difference: float
    low: float | None
    high: float | None
    samples: tuple[int | None, int | None]
    how: str
    verdict: Word
    why: str
    conditions: dict[str, Any]
    differing: dict[str, tuple[Any, Any]]


def seeds(metric: str, first: tuple[Card, Card], pairs: Pairs) -> Pairs:
    """The pair and, where networks were trained from several seeds, those that differ in it alone.

    B and A come from the same seed each time.
    """
    found = {seed(first[0][metric]): first}
    if not paired(metric, *first) or seed(first[0][metric]) != seed(first[1][metric]):
        return [first]
    for pair in pairs:
        number = seed(pair[0][metric])
        only = [
            unlike(one[metric], two[metric], WEIGHTS) for one, two in zip(pair, first, strict=True)
        ]
        same_clips = paired(metric, *pair) and paired(metric, pair[0], first[0])
        if number == seed(pair[1][metric]) and not any(only) and same_clips:
            found.setdefault(number, pair)
    return [found[number] for number in sorted(found, key=str)]


def seed(row: Row) -> int | None:
    """The seed that a row's network was trained from."""
    return row.conditions.get("training_seed")


def judge(name: str, pairs: Pairs) -> Verdict:
    """The verdict on one metric of pairs of cards that are alike."""
    (mine, base), *_ = pairs
    row, other = mine[name], base[name]
    a, b = (math.fsum(number(p[side][name]) for p in pairs) / len(pairs) for side in (1, 0))
    why = ""
    if catalogue.metric(name).exact:
        value, low, high, how = b - a, b - a, b - a, "exact"
    elif paired(name, mine, base):
        found = difference(pairs, name)
        value, (low, high) = found.value, found.interval()
        how, why = paired_how(found), too_little(found, trained_apart(row, other))
    elif timed(row.metric.partition(".")[0]):
        value, low, high, how, why = by_clock(name, mine, base)
    else:
        value, low, high, how = unpaired(name, mine, base)
        if catalogue.metric(name).paired_by:
            why = too_few(min(one.samples or 0 for one in (row, other)))
    differing = unlike(other, row)
    return Verdict(
        metric=name,
        unit=row.unit,
        a=a,
        b=b,
        difference=value,
        low=low,
        high=high,
        samples=(other.samples, row.samples),
        how=how,
        verdict=word(catalogue.metric(name).better, a, low, high) if not why else "unsure",
        why=why,
        conditions={k: v for k, v in row.conditions.items() if k not in differing},
        differing=differing,
    )


def word(better: str | None, a: float, low: float | None, high: float | None) -> Word:
    """What follows from the interval of B minus A."""
    floor = FLOOR * abs(a)
    if better is None:
        return "none"
    if low is None or high is None:
        return "unsure"
    if -floor <= low and high <= floor:
        return "same"
    if low > floor or high < -floor:
        return "better" if (low > 0) == (better == "more") else "worse"
    return "unsure"


def trained_apart(row: Row, other: Row) -> bool:
    """Whether two networks were trained for the comparison: another seed could turn it."""
    differ = row.conditions.get("weights_sha256") != other.conditions.get("weights_sha256")
    return differ and None not in (seed(row), seed(other))


def too_little(found: Estimate, trained: bool) -> str:
    """Why there is no verdict however narrow the interval is; "": there may be one."""
    said = [too_few(found.subjects)]
    if (trained or found.seeds > 1) and found.seeds < FEWEST_SEEDS:
        said.append(f"{plural(found.seeds, 'training seed')}, {FEWEST_SEEDS} are needed")
    return "; ".join(filter(None, said))


def too_few(subjects: int) -> str:
    """The same of subjects; 0: nobody knows whose clips were scored."""
    if subjects == 0:
        return "whose clips they are is not known"
    few = subjects < FEWEST_SUBJECTS
    return f"{plural(subjects, 'subject')}, {FEWEST_SUBJECTS} are needed" if few else ""


def plural(count: int, noun: str) -> str:
    """How many of what."""
    return f"{count} {noun}{'s' * (count != 1)}"


def paired_how(found: Estimate) -> str:
    """What the interval of a paired difference is over."""
    crossed = f" x {found.seeds} seeds" if found.seeds > 1 else ""
    return f"paired by clip, over {plural(found.subjects, 'subject')}{crossed}"


def unpaired(name: str, mine: Card, base: Card) -> tuple[float, float | None, float | None, str]:
    """B minus A, its 95 % interval (None: not known), and where the interval comes from.

    Intervals are joined as of independent estimates (Zou and Donner 2008), which is too wide where
    the same subjects were scored, so no verdict is bolder than it may be.
    """
    row, other = mine[name], base[name]
    value = number(row) - number(other)
    if row.low is None or row.high is None or other.low is None or other.high is None:
        return value, None, None, "no interval"
    low = value - math.hypot(number(row) - row.low, other.high - number(other))
    high = value + math.hypot(row.high - number(row), number(other) - other.low)
    if catalogue.metric(name).to_reference:
        return value, low, high, f"each paired with {row.conditions.get('reference')}"
    return value, low, high, "unpaired"


def by_clock(
    name: str, mine: Card, base: Card
) -> tuple[float, float | None, float | None, str, str]:
    """B minus A in what a clock tells, its interval, what that is over, why there is no verdict."""
    found = ratio(name, mine, base)
    if found is None:
        return *unpaired(name, mine, base), few(name, mine, base)
    a = number(base[name])
    value, low, high = (a * (times - 1) for times in found[:3])
    return value, low, high, found[3], few(name, mine, base)

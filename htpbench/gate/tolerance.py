"""Tolerances of the gate: what a number may do before it is a regression."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from htpbench.errors import BenchError, unknown
from htpbench.gate.pinned import KEPT
from htpbench.records.rows import Row
from htpbench.systems import catalogue

EXACTLY, SHARED = 1.0, 0.95  # of the kept frames: here, and where floating point is another's
GRAMMAR = re.compile(
    r"(?P<metric>[^:]+):[+-]?(?P<number>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*(?P<unit>\D\S*)?"
)


class Ruling(NamedTuple):
    """What a rule says of a pinned and a found number, in words where they are not the same."""

    state: Literal["same", "worse", "better"]
    pinned: str = ""
    found: str = ""
    difference: str = ""


class Rule(Protocol):
    """How a metric is judged; `str` says it to the user."""

    def judge(self, pinned: Row, found: Row) -> Ruling:
        """Compare two rows of one metric that were measured alike."""
        ...


@dataclass(frozen=True)
class Exact:
    """Any change is a regression, less as well: nobody may count differently by accident."""

    def __str__(self) -> str:
        return "any change; if it is meant, less or more, --pin it"

    def judge(self, pinned: Row, found: Row) -> Ruling:
        """See Rule."""
        return ruled("same" if found.value == pinned.value else "worse", pinned, found)


@dataclass(frozen=True)
class NoWorse:
    """Worse by more than `limit` (`unit`: the metric's, or % of the pinned value).

    What is worse is the metric's meaning: more, or less where more is better.
    """

    limit: float
    unit: str

    def __str__(self) -> str:
        return f"worse by more than {self.limit:g} {self.unit}".removesuffix(" 1")

    def judge(self, pinned: Row, found: Row) -> Ruling:
        """See Rule."""
        before, after = number(pinned), number(found)
        more = catalogue.metric(pinned.metric).better == "more"
        worse = before - after if more else after - before
        of_pinned = self.unit == "%" != pinned.unit
        limit = self.limit / 100 * abs(before) if of_pinned else self.limit
        state = "worse" if worse > limit else "better" if worse < -limit else "same"
        return ruled(state, pinned, found)


@dataclass(frozen=True)
class SameFrames:
    """Each window keeps at least this share of its pinned frames; EXACTLY: all, in their order."""

    share: float

    def __str__(self) -> str:
        if self.share == EXACTLY:
            return "another frame"
        return f"under {self.share:.0%} in common in a window"

    def judge(self, pinned: Row, found: Row) -> Ruling:
        """See Rule."""
        after = windows(found)
        for window, frames in windows(pinned).items():
            now = after[window]
            common = len(set(frames) & set(now))
            enough = self.share < EXACTLY and common >= self.share * len(frames)
            if now != frames and not enough:
                rank = next(i for i, frame in enumerate(frames) if frame != now[i])
                place = f"{window}, rank {rank}; {common} of {len(frames)} in common"
                return Ruling("worse", f"{frames[rank]:g}", f"{now[rank]:g}", place)
        return Ruling("same")


def default_rule(metric: str, alike: bool, static: bool) -> Rule | None:
    """How a metric is gated unless --fail says otherwise; None: it is not.

    alike: the software is the pinned one; static: frames are chosen without floating point.

    Time never is: machines that are shared differ from themselves by more than any change.
    """
    if metric == KEPT:
        return SameFrames(EXACTLY if alike or static else SHARED)
    known = catalogue.metric(metric)
    if known.tolerance:
        here, elsewhere = known.tolerance
        return NoWorse(here if alike else elsewhere, known.unit)
    return Exact() if known.exact else None


def parse_rules(texts: Iterable[str], units: Mapping[str, str]) -> dict[str, Rule]:
    """The rule of each METRIC:[+|-]NUMBER[UNIT|%]; `units` of the metrics that can be gated.

    The sign is for the reader: the metric's meaning says which way is worse. Without a unit the
    number is in the metric's own; so is % for a metric in %.
    """
    return dict(parse_rule(text, units) for text in texts)


def parse_rule(text: str, units: Mapping[str, str]) -> tuple[str, Rule]:
    """One metric and its rule; BenchError for wrong syntax, an unknown metric or another unit."""
    match = GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise BenchError(
            f"--fail {text!r}: expected METRIC:+NUMBER and a unit or %, "
            "for example accuracy.mpjpe:+0.05mm"
        )
    metric, unit = match["metric"], match["unit"]
    if metric not in units:
        raise unknown("metric", metric, units)
    if unit not in (None, units[metric], "%"):
        raise BenchError(
            f"--fail {text!r}: {metric} is in {units[metric]!r}, not {unit!r}; "
            f"write {metric}:+{match['number']}{units[metric].removeprefix('1')}, or %"
        )
    return metric, NoWorse(float(match["number"]), unit or units[metric])


def number(row: Row) -> float:
    """The value of a row that is a single number."""
    assert isinstance(row.value, int | float)
    return row.value


def ruled(state: Literal["same", "worse", "better"], pinned: Row, found: Row) -> Ruling:
    """A ruling on single numbers."""
    before, after, unit = number(pinned), number(found), pinned.unit.removeprefix("1")
    values = (
        f"{value:,}" if isinstance(value, int) else f"{value:.4f}" for value in (before, after)
    )
    change = after - before
    difference = f"{change:+,}" if isinstance(change, int) else f"{change:+.4f}"
    return Ruling(state, *(f"{value} {unit}".strip() for value in (*values, difference)))


def windows(row: Row) -> dict[str, list[float]]:
    """Kept frames by window; labels of the axis are "window 0, rank 3"."""
    found: dict[str, list[float]] = {}
    assert isinstance(row.value, list) and row.axis is not None
    for label, frame in zip(row.axis, row.value, strict=True):
        found.setdefault(str(label).partition(",")[0], []).append(frame)
    return found

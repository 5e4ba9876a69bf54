"""Schedules of a published table that differ in one number alone: r or b of a stage, or f."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from htpbench.records.results import Results
from htpbench.report.paper import published_table
from htpbench.systems.combination import Combination, parse

LEAST = 3  # settings: two are a comparison, which the tables show
SPEED, ERROR = "speed-up", "MPJPE minus unpruned (mm)"
SPEEDS = ("fps", "fps_per_frame")
Line = dict[str, Any]


class Point(NamedTuple):
    """A number over, or minus, that of the unpruned network, with its interval where it has one."""

    setting: int
    value: float
    low: float = math.nan
    high: float = math.nan


class Dial(NamedTuple):
    """What a dial does: its name, r, b or f; the schedule around it; what -> its points."""

    name: str
    around: str
    printed: dict[str, list[Point]]
    ours: dict[str, list[Point]]


def dials(table: int, everything: Results, errors: Iterable[Line]) -> list[Dial]:
    """The dials of a table of which at least LEAST settings are printed.

    Speeds of ours are of the printed networks (rows of any study), errors of the networks that
    schedules were scaled to (`htpbench.report.scaled.scaled_lines`).
    """
    every: list[Line] = published_table(table, everything).to_dict("records")  # type: ignore
    # Of a network that is printed twice the last is taken; no table of dials has both its uses.
    speeds = {one["combination"]: one for one in every if one["metric"] in SPEEDS}
    plain = {one["printed for"]: one for one in errors if one["metric"] == "mpjpe"}
    names = dict.fromkeys(one["combination"] for one in every if "+" in one["combination"])
    found: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for combination in names:
        for name, around, setting in turned(parse(combination)):
            found[name, around][setting] = combination
    told = [
        Dial(
            *dial,
            {
                SPEED: points(settings, speeds, "printed_relative"),
                ERROR: points(settings, plain, "printed minus unpruned"),
            },
            {
                SPEED: points(settings, speeds, "relative", "low", "high"),
                ERROR: points(settings, plain, "ours minus unpruned", "low", "high"),
            },
        )
        for dial, settings in found.items()
    ]
    return [dial for dial in told if max(map(len, dial.printed.values())) >= LEAST]


def turned(combination: Combination) -> Iterator[tuple[str, str, int]]:
    """Each dial of a combination: its name, the combination around it, and its setting."""
    head, _, rest = str(combination).partition(":")
    recoverer = "+".join(["", *rest.split("+")[1:]])
    for place, (r, b) in enumerate(combination.schedule):
        for name, setting in (("r", r), ("b", b)):
            stages = [f"{r}@{b}" for r, b in combination.schedule]
            stages[place] = f"r@{b}" if name == "r" else f"{r}@b"
            yield name, f"{head}:{','.join(stages)}{recoverer}", setting
    if combination.recoverer:
        around = str(combination).removesuffix(f":{combination.recovered}")
        yield "f", f"{around}:f", combination.recovered or combination.frames


def points(settings: dict[int, str], lines: dict[str, Line], *columns: str) -> list[Point]:
    """What is known of a dial's settings, from the smallest."""
    told = [
        Point(setting, *(lines[settings[setting]][column] for column in columns))
        for setting in sorted(settings)
        if settings[setting] in lines
    ]
    return [point for point in told if not math.isnan(point.value)]

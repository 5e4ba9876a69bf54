"""Sessions of a clock: what was timed together, whether others ran beside it, how two compare.

Networks of one session were visited by the same processes, round by round. Between sessions the
machine drifts, so absolute times are the reference, pooled, over the speed-up: no table contradicts
itself.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from htpbench.records.clocks import BASE, MINE, mean_log
from htpbench.records.row import Row, alike, cards, number
from htpbench.systems import catalogue

FEWEST_PROCESSES = 5  # with fewer of them there is no verdict
LEAST_CPU, MOST_APART = 0.95, 0.05  # beyond them others ran beside it
# How what a clock tells (`Metric.clock`) goes with the time of a call: with it or against it.
PAIRED = {"time": 1, "rate": -1, "gain": -1}
POOLED = {"time": 1, "tail": 1, "rate": -1}
OF_NETWORK = ("masked", "code", "pipeline")  # conditions that are not the reference's
Card = Mapping[str, Row]  # metric -> its ok row; all of one meter under the same conditions


def timed(meter: str) -> bool:
    """Whether a meter is a clock that tells its noise."""
    return catalogue.declared(f"{meter}.drift") is not None


def noise(metric: str, card: Card) -> str:
    """Why what a clock says of a metric is not to be trusted; "" where nothing speaks against it.

    A drift spoils times alone: what is paired with the reference went through the same.
    """
    meter = metric.partition(".")[0]
    if not timed(meter) or (declared := catalogue.metric(metric)).exact:
        return ""
    said = []
    drift, cpu, overhead = (card.get(f"{meter}.{one}") for one in ("drift", "cpu", "overhead"))
    if drift is None:
        return "timed by an older clock, which did not look"
    if cpu is not None and number(cpu) < LEAST_CPU:
        said.append(f"it got {100 * number(cpu):.0f} % of the CPU that it could use")
    if declared.clock in POOLED and abs(number(drift)) > MOST_APART:
        said.append(f"the reference drifted by {100 * number(drift):+.0f} %")
    if overhead is not None and surely(overhead) > MOST_APART:
        said.append(f"marking the parts changed the time by {100 * number(overhead):+.0f} %")
    return ", ".join(said)


def surely(row: Row) -> float:
    """How large a number is at the least by its interval; without one its own size.

    Where a visit is one call chance moves it, and calls vary by more than a mark could cost.
    """
    if row.low is None or row.high is None:
        return abs(number(row))
    return max(row.low, -row.high, 0.0)


def ratio(metric: str, mine: Card, base: Card) -> tuple[float, float, float, str] | None:
    """B over A in a metric with the ends of its 95 % interval, and what that is over.

    None where it cannot be known: a metric that no reference pairs, a clock of one process. Of two
    sessions the speed-ups are independent estimates, whose intervals are joined.
    """
    meter, power = metric.partition(".")[0], PAIRED.get(catalogue.metric(metric).clock)
    lists = f"{meter}.{MINE}", f"{meter}.{BASE}"
    if power is None or not all(one in card for one in lists for card in (mine, base)):
        return None
    (own, ours), (other, theirs) = ([logs(card[one]) for one in lists] for card in (mine, base))
    if np.array_equal(ours, theirs):
        value, half = mean_log(own - other)
        how = f"paired by process, over {len(own)}"
    else:
        (value, half), (b, further) = mean_log(own - ours), mean_log(other - theirs)
        value, half = value - b, math.hypot(half, further)
        how = "of two sessions, each paired with its reference"
    if not math.isfinite(half):
        return None
    value *= power
    return math.exp(value), math.exp(value - half), math.exp(value + half), how


def logs(row: Row) -> np.ndarray:
    """(P,) logarithms of what each process found."""
    return np.log(np.array(row.value, dtype=float))


def few(metric: str, *cards: Card) -> str:
    """Why there is no verdict on times of so few processes; "": there may be one."""
    told = [card.get(f"{metric.partition('.')[0]}.{MINE}") for card in cards]
    count = min(len(logs(row)) if row else 1 for row in told)
    said = f"{count} process{'es' * (count > 1)}, {FEWEST_PROCESSES} are needed"
    return said if count < FEWEST_PROCESSES else ""


def referring(row: Row) -> str:
    """What rows share that were timed beside one reference under the same conditions."""
    told = {name: one for name, one in row.conditions.items() if name not in OF_NETWORK}
    return json.dumps([row.metric.partition(".")[0], told], sort_keys=True)


def pooled(rows: Iterable[Row]) -> list[Row]:
    """The rows; absolute times of several sessions under the same conditions as of one.

    The reference's is its geometric mean over the sessions that were quiet, or over all.
    """
    rows = list(rows)
    clock = {name: catalogue.metric(name).clock for name in {row.metric for row in rows}}
    sessions: dict[str, dict[tuple, bool]] = defaultdict(dict)  # of a reference: session -> quiet
    bases: dict[tuple, float] = {}  # seconds of the reference in its own session
    for key, card in cards(rows).items():
        told = {clock[name]: row for name, row in card.items()}
        base = card.get(f"{key[1]}.{BASE}")
        if base and {"time", "gain"} <= told.keys():
            bases[key] = number(told["time"]) * number(told["gain"])
            session = tuple(base.value)  # type: ignore[arg-type]
            known = sessions[referring(base)]
            known[session] = known.get(session, True) and not noise(told["time"].metric, card)
    levels = {}
    for key, known in sessions.items():
        chosen = [one for one, quiet in known.items() if quiet] or [*known]
        levels[key] = np.mean([np.log(one).mean() for one in chosen])
    found = []
    for row in rows:
        key, power = alike(row), POOLED.get(clock[row.metric])
        if power and row.status == "ok" and key in bases:
            factor = float(np.exp(levels[referring(row)]) / bases[key]) ** power
            ends = {one: getattr(row, one) for one in ("value", "low", "high")}
            row = replace(row, **{one: x and factor * x for one, x in ends.items()})
        found.append(row)
    return found

"""What the processes of a clock found, made one: medians of calls, t over processes.

Processes differ (memory layout, placement, clocks) by more than the rounds of one, so an interval
is Student's t over the processes' logarithms. A time is the reference's over the speed-up, so that
the two never contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from htpbench.records.intervals import FLOOR, LEVEL, squared
from htpbench.records.measurement import Measurement

PARTS = ("embed", "blocks", "prune", "recover", "head")  # of a pass
LAUNCH_BOUND = 0.8  # busy for less of the wall, the device waits for launches
MINE, BASE = "by_process", "reference_by_process"
Part = Mapping[str, Sequence[float]]  # what one process told of a network


def joined(meter: str, parts: Sequence[Part], labels: tuple[str, ...] = PARTS) -> list[Measurement]:
    """All that a clock measures of one network, of what each of some processes told of it.

    parts: rounds and reference (seconds of each round, paired), calls (seconds of each), first,
    where they can be told apart parts (seconds of `labels`) and their overhead, cpu (CPU over wall
    time), probe (the same of work that keeps all threads busy, over threads), clip (batch,
    frames); of an engine load (seconds from a network's file to its first answer); on CUDA device
    and device_reference (seconds of each round) and launches (1: the device's time has them in).
    """
    count = len(parts)
    base = np.log([np.median(part["reference"]) for part in parts])  # (P,)
    gains = np.array([gain(part["reference"], part["rounds"]) for part in parts])  # (P,)
    _, half = mean_log(gains)
    calls = np.concatenate([part["calls"] for part in parts])
    batch, frames = parts[0]["clip"]
    rate = math.log(batch) + gains - base  # (P,) clips per second
    measured = [
        over("forward", base - gains),
        over("speedup", gains),
        over("clips_per_second", rate),
        over("frames_per_second", math.log(frames) + rate),
        Measurement("p90", float(np.quantile(calls, 0.9)), samples=len(calls)),
        Measurement("p99", float(np.quantile(calls, 0.99)), samples=len(calls)),
        Measurement("first", float(np.median([part["first"] for part in parts]))),
        Measurement("drift", drift(np.concatenate([part["reference"] for part in parts]))),
        Measurement("cpu", cpu_share(parts)),
        by_process(MINE, base - gains),
        by_process(BASE, base),
    ]
    if all("parts" in part for part in parts):
        shares = np.median([part["parts"] for part in parts], axis=0)  # (labels,)
        marking = np.array([part["overhead"][0] for part in parts])  # (P,)
        measured.append(about("overhead", float(np.median(marking)), marking))
        measured.append(Measurement("breakdown", shares.tolist(), axis=[*labels]))
        if labels == PARTS:
            share, each = pruning_share(shares), [pruning_share(part["parts"]) for part in parts]
            measured.append(about("prune_share", share, np.array(each), 0.0, 1.0))
    if all("load" in part for part in parts):
        measured.append(Measurement("load", float(np.median([part["load"] for part in parts]))))
    if count > 1:
        measured.append(Measurement("tells", half + FLOOR))
    if all("device" in part for part in parts):
        measured += on_device(parts)
    return [one._replace(metric=f"{meter}.{one.metric}") for one in measured]


def on_device(parts: Sequence[Part]) -> list[Measurement]:
    """What the device's own clock says, and for how much of the wall it is busy."""
    eager = any(part["launches"][0] for part in parts)
    note = "no CUDA graph could be made of it: launches are in it" if eager else None
    device = np.log([np.median(part["device"]) for part in parts])  # (P,)
    walls = np.log([np.median(part["rounds"]) for part in parts])
    gains = np.array([gain(part["device_reference"], part["device"]) for part in parts])
    busy = float(np.exp(np.median(device - walls)))
    return [
        over("device", device)._replace(note=note),
        over("device_speedup", gains),
        Measurement("busy", busy, note="launch_bound" if busy < LAUNCH_BOUND else None),
    ]


def over(name: str, logs: np.ndarray) -> Measurement:
    """The geometric mean over processes with its interval; none of one process."""
    mean, half = mean_log(logs)
    known = math.isfinite(half)
    ends = (math.exp(mean - half), math.exp(mean + half)) if known else (None, None)
    return Measurement(name, math.exp(mean), *ends, len(logs))


def about(
    name: str, value: float, found: np.ndarray, least: float = -math.inf, most: float = math.inf
) -> Measurement:
    """A value with Student's interval over what processes found (P,), cut to what it can be.

    None of one process.
    """
    _, half = mean_log(found)
    ends = (max(value - half, least), min(value + half, most)) if len(found) > 1 else (None, None)
    return Measurement(name, value, *ends, samples=len(found))


def pruning_share(seconds: Sequence[float] | np.ndarray) -> float:
    """The share of choosing frames and bringing them back in the seconds of PARTS."""
    return float(np.sum(seconds[2:4]) / np.sum(seconds))


def by_process(name: str, logs: np.ndarray) -> Measurement:
    """What each process found."""
    return Measurement(name, np.exp(logs).tolist(), axis=[*map(str, range(len(logs)))])


def gain(reference: Sequence[float], rounds: Sequence[float]) -> float:
    """The logarithm of a speed-up: the median of paired rounds, for some are disturbed."""
    return float(np.median(np.log(reference) - np.log(rounds)))


def mean_log(logs: np.ndarray) -> tuple[float, float]:
    """The mean of what processes found (P,), and half its 95 % interval by Student's t; inf of one.

    Mostly of logarithms.
    """
    mean, count = float(logs.mean()), len(logs)
    if count < 2:
        return mean, math.inf
    return mean, math.sqrt(squared(LEVEL, count - 1, float(logs.var(ddof=1)) / count))


def drift(rounds: np.ndarray) -> float:
    """How much slower the last third of a reference's rounds is than the first.

    By the faster quarter of each: what comes and goes lengthens some rounds, a drift all of them.
    """
    third = max(1, len(rounds) // 3)
    first, last = (np.quantile(each, 0.25) for each in (rounds[:third], rounds[-third:]))
    return float(last / first) - 1


def cpu_share(parts: Sequence[Part]) -> float:
    """CPU time over wall time, of what it could be: the smaller of two views.

    Work that keeps all threads busy knows its best, and what runs beside it all the time shows;
    the network's own, of its best process, shows what hit it alone.
    """
    own = [part["cpu"][0] for part in parts]
    return float(min(np.mean([part["probe"] for part in parts]), np.median(own) / max(own)))

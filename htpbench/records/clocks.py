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

PARTS = ("embed", "blocks", "prune", "recover", "head")
MINE, BASE = "by_process", "reference_by_process"
Part = Mapping[str, Sequence[float]]  # what one process told of a network


def joined(meter: str, parts: Sequence[Part]) -> list[Measurement]:
    """All that a clock measures of one network, of what each of some processes told of it.

    parts: rounds and reference (seconds of each round, paired), calls (seconds of each), first,
    parts (seconds of PARTS), overhead, cpu (CPU over wall time), probe (the same of work that keeps
    all threads busy, over threads), clip (batch, frames); on CUDA device and device_reference
    (seconds of each round) and launches (1: the device's time has them in).
    """
    count = len(parts)
    base = np.log([np.median(part["reference"]) for part in parts])  # (P,)
    gains = np.array([gain(part["reference"], part["rounds"]) for part in parts])  # (P,)
    forward, low, high = mean_interval(base - gains)
    speedup, least, most = mean_interval(gains)
    calls = np.concatenate([part["calls"] for part in parts])
    batch, frames = parts[0]["clip"]
    shares = np.median([part["parts"] for part in parts], axis=0)
    clips = [batch / seconds if seconds else None for seconds in (forward, high, low)]
    measured = {
        "forward": Measurement("", forward, low, high, count),
        "speedup": Measurement("", speedup, least, most, count),
        "clips_per_second": Measurement("", *clips, count),
        "frames_per_second": Measurement("", *(one and frames * one for one in clips), count),
        "p90": Measurement("", float(np.quantile(calls, 0.9)), samples=len(calls)),
        "p99": Measurement("", float(np.quantile(calls, 0.99)), samples=len(calls)),
        "first": Measurement("", float(np.median([part["first"] for part in parts]))),
        "prune_share": Measurement("", float(shares[2:4].sum() / shares.sum()), samples=count),
        "breakdown": Measurement("", shares.tolist(), axis=[*PARTS]),
        "overhead": Measurement("", float(np.median([part["overhead"] for part in parts]))),
        "drift": Measurement("", drift(np.concatenate([part["reference"] for part in parts]))),
        "cpu": Measurement("", cpu_share(parts)),
        MINE: Measurement("", np.exp(base - gains).tolist(), axis=[*map(str, range(count))]),
        BASE: Measurement("", np.exp(base).tolist(), axis=[*map(str, range(count))]),
    }
    if count > 1:
        measured["tells"] = Measurement("", math.log(most / least) / 2 + FLOOR)
    if all("device" in part for part in parts):
        measured |= on_device(parts)
    return [one._replace(metric=f"{meter}.{name}") for name, one in measured.items()]


def on_device(parts: Sequence[Part]) -> dict[str, Measurement]:
    """What the device's own clock says, and for how much of the wall it is busy."""
    eager = any(part["launches"][0] for part in parts)
    note = "no CUDA graph could be made of it: launches are in it" if eager else None
    device = np.log([np.median(part["device"]) for part in parts])
    gains = np.array([gain(part["device_reference"], part["device"]) for part in parts])
    walls = np.log([np.median(part["rounds"]) for part in parts])
    return {
        "device": Measurement("", *mean_interval(device), len(parts), note=note),
        "device_speedup": Measurement("", *mean_interval(gains), len(parts)),
        "busy": Measurement("", float(np.exp(np.median(device - walls)))),
    }


def gain(reference: Sequence[float], rounds: Sequence[float]) -> float:
    """The logarithm of a speed-up, in the median of paired rounds: one that is disturbed is lost."""
    return float(np.median(np.log(reference) - np.log(rounds)))


def mean_interval(logs: np.ndarray) -> tuple[float, float | None, float | None]:
    """The geometric mean of processes and its 95 % interval by Student's t; None of one process."""
    mean = float(logs.mean())
    if len(logs) < 2:
        return math.exp(mean), None, None
    half = math.sqrt(squared(LEVEL, len(logs) - 1, float(logs.var(ddof=1)) / len(logs)))
    return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def drift(rounds: np.ndarray) -> float:
    """How much slower the last third of a reference's rounds is than the first."""
    third = max(1, len(rounds) // 3)
    return float(np.median(rounds[-third:]) / np.median(rounds[:third])) - 1


def cpu_share(parts: Sequence[Part]) -> float:
    """CPU time over wall time, of what it could be: the smaller of two views.

    Work that keeps all threads busy knows its best, and what runs beside it all the time shows;
    the network's own, of its best process, shows what hit it alone.
    """
    own = [part["cpu"][0] for part in parts]
    return float(min(np.mean([part["probe"] for part in parts]), np.median(own) / max(own)))

"""Time: forward latency in rounds that interleave all lifters, and the share of pruning.

CUDA events on a GPU, perf_counter on a CPU. The rounds are paired, so that drift of the machine
hits every lifter alike; intervals are bootstrapped over rounds, never over single calls.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor

from htpbench.network.lifter import Lifter
from htpbench.records.measurement import Measurement
from htpbench.records.medians import median_interval

SPANS = ("embed", "prune", "recover", "head")  # parts of a pass that the lifter marks
WARM_UP_S = 2.0  # at the most


def current(device: str) -> AbstractContextManager:
    """CUDA events are recorded on the current device: make it the timed one."""
    named = torch.device(device)
    return torch.cuda.device(named) if named.type == "cuda" else nullcontext()


class Clock:
    """Marks moments on the device's own time line; `seconds` reads the spans between them."""

    def __init__(self, device: str) -> None:
        self.cuda = torch.device(device).type == "cuda"

    def mark(self) -> float | torch.cuda.Event:
        """This moment, without waiting for the device."""
        if not self.cuda:
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def seconds(self, spans: list[tuple]) -> list[float]:
        """Lengths of the spans between pairs of marks; waits for the device once."""
        if self.cuda:
            torch.cuda.synchronize()
            return [start.elapsed_time(stop) / 1e3 for start, stop in spans]
        return [stop - start for start, stop in spans]


def measure(
    lifters: list[Lifter],
    device: str = "cpu",
    batch: int = 1,
    rounds: int = 15,
    round_s: float = 0.1,
) -> list[list[Measurement]]:
    """Measurements of each lifter; the first is the reference that speed-ups refer to."""
    clock = Clock(device)
    lifters = [lifter.eval().to(device) for lifter in lifters]
    inputs = [lifter.example(batch, device) for lifter in lifters]
    with current(device), torch.inference_mode():
        first = [run(clock, lifter, x, 1)[0] for lifter, x in zip(lifters, inputs, strict=True)]
        jobs = [
            (lifter, x, max(1, math.ceil(round_s / warm_up(clock, lifter, x))))
            for lifter, x in zip(lifters, inputs, strict=True)
        ]
        rows = [[float(np.median(run(clock, *job))) for job in jobs] for _ in range(rounds)]
        medians = np.array(rows)  # (rounds, lifters)
        shares = [share(clock, *job) for job in jobs]
    return [
        [
            *summarise(medians[:, i], medians[:, 0], lifter, batch),
            Measurement("time.first", first[i]),
            *breakdown(shares[i], float(np.median(medians[:, i]))),
        ]
        for i, lifter in enumerate(lifters)
    ]


def run(clock: Clock, lifter: Lifter, inputs: tuple[Tensor, ...], calls: int) -> list[float]:
    """Seconds of each of some forward passes."""
    spans = []
    for _ in range(calls):
        start = clock.mark()
        lifter(*inputs)
        spans.append((start, clock.mark()))
    return clock.seconds(spans)


def warm_up(clock: Clock, lifter: Lifter, inputs: tuple[Tensor, ...]) -> float:
    """Run blocks of passes until one is no longer 2 % faster than the best; seconds a pass."""
    best, stop = math.inf, time.monotonic() + WARM_UP_S
    while True:
        block = float(np.median(run(clock, lifter, inputs, 5)))
        if block > 0.98 * best or time.monotonic() > stop:
            return min(block, best)
        best = block


def share(clock: Clock, lifter: Lifter, inputs: tuple[Tensor, ...], calls: int) -> np.ndarray:
    """(calls, 5): seconds of each of SPANS, and of the whole instrumented pass."""
    spans: dict[str, list[tuple]] = {name: [] for name in SPANS}

    @contextmanager
    def span(name: str) -> Iterator[None]:
        start = clock.mark()
        yield
        spans[name].append((start, clock.mark()))

    plain, lifter.span = lifter.span, span
    found = []
    try:
        for _ in range(calls):
            for taken in spans.values():
                taken.clear()
            (whole,) = run(clock, lifter, inputs, 1)
            found.append([sum(clock.seconds(spans[name])) for name in spans] + [whole])
    finally:
        lifter.span = plain
    return np.array(found)


def summarise(
    medians: np.ndarray, reference: np.ndarray, lifter: Lifter, batch: int
) -> list[Measurement]:
    """Latency, rates and speed-up, with 95 % bootstrap intervals over rounds."""
    frames = 1 if lifter.centred else lifter.frames
    forward = float(np.median(medians))
    low, high = median_interval(medians)
    clips, rounds = batch / forward, len(medians)
    ratio = reference / medians
    ratio_low, ratio_high = median_interval(ratio)
    per_clip = batch / high, batch / low
    per_frame = frames * per_clip[0], frames * per_clip[1]
    return [
        Measurement("time.forward", forward, low, high, rounds),
        Measurement("time.clips_per_second", clips, *per_clip, rounds),
        Measurement("time.frames_per_second", clips * frames, *per_frame, rounds),
        Measurement("time.speedup", float(np.median(ratio)), ratio_low, ratio_high, rounds),
    ]


def breakdown(shares: np.ndarray, plain: float) -> list[Measurement]:
    """Where the time goes, from the instrumented pass, and what instrumenting cost."""
    embed, prune, recover, head, whole = np.median(shares, axis=0).tolist()
    blocks = max(whole - embed - prune - recover - head, 0.0)  # and what lies between the spans
    parts = {"embed": embed, "blocks": blocks, "prune": prune, "recover": recover, "head": head}
    return [
        Measurement("time.prune_share", (prune + recover) / whole, samples=len(shares)),
        Measurement("time.breakdown", [*parts.values()], axis=[*parts]),
        Measurement("time.overhead", whole / plain - 1),
    ]

"""A network that a clock visits: warm, with what each visit found."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch

from htpbench.errors import Poisoned
from htpbench.measuring.clock import Clock, Graph, in_a_row
from htpbench.network.lifter import Lifter
from htpbench.records.measurement import Measurement

SPANS = ("embed", "prune", "recover", "head")  # parts of a pass that lifters mark
WINDOW, FASTER = 5, 0.02  # calls of a window of warming up; a gain that asks for another one
WARM_UP_S = 2.0  # at the most


class Settings(NamedTuple):
    """What all networks of a process share."""

    device: str
    batch: int
    round_s: float
    graph: bool  # replays are what is timed
    record: bool  # replays tell the device's time
    pool: Any  # of memory: one replay at a time


class Timed:
    """A network that is loaded and warm, and what its visits found."""

    def __init__(self, clock: Clock, lifter: Lifter, how: Settings, least_s: float) -> None:
        self.clock, self.how = clock, how
        self.lifter = lifter.eval().to(how.device)  # outside inference mode: it may be trained yet
        self.inputs = self.lifter.example(how.batch, how.device)
        self.spans = getattr(lifter, "spans", SPANS)
        self.grows: bool = getattr(lifter, "grows", False)
        self.load_s: float | None = getattr(lifter, "load_s", None)  # of an engine
        self.call: Callable[[], object] = self.eager
        self.graph: Graph | None = None
        with torch.inference_mode():
            self.first = clock.wall(self.eager)
            one = self.warm_up(least_s)
            if how.record:
                self.graph = recorded(self.eager, how)
            if how.graph and self.graph:
                self.call = self.graph
                one = self.warm_up(0.0)
        self.calls = max(1, math.ceil(how.round_s / one))
        self.rounds: list[float] = []  # seconds, the median of each visit
        self.all: list[float] = []  # of every call
        self.device: list[float] = []  # of a replay, each visit
        self.parts: list[list[float]] = []  # spans and the whole of each instrumented call
        self.overheads: list[float] = []
        self.cpu = self.wall = 0.0

    def eager(self) -> object:
        """A forward pass."""
        return self.lifter(*self.inputs)

    def warm_up(self, least_s: float) -> float:
        """Run windows of calls until one is hardly faster than the last; seconds of a call.

        A call that takes longer than all warming up may is warm before it ends.
        """
        begun, before = time.monotonic(), math.inf
        one = self.clock.wall(self.call)
        if one > WARM_UP_S:
            return one
        calls = max(1, min(WINDOW, int(WARM_UP_S / WINDOW / one)))
        while True:
            window = float(np.median([self.clock.wall(self.call) for _ in range(calls)]))
            spent = time.monotonic() - begun
            warm = window > (1 - FASTER) * before and spent >= least_s
            if warm or spent > WARM_UP_S:
                return min(window, before)
            before = window

    def visit(self) -> None:
        """One round: calls that are timed, and some whose parts are marked.

        Where calls are short one is let pass, for others left the caches cold; and where a call
        takes memory anew that the others gave back (`grows`), however long it is.
        """
        with torch.inference_mode():
            start, cpu = self.clock.now(), time.process_time()
            if self.calls > 1 or self.grows:
                self.call()
            took = [self.clock.wall(self.call) for _ in range(self.calls)]
            if self.spans:
                few = max(1, self.calls // 4)
                plain = took if self.call == self.eager else self.walls(few)
                marked = float(np.median(self.instrumented(few)))
                self.overheads.append(marked / float(np.median(plain)) - 1)
            self.cpu += time.process_time() - cpu
            self.wall += self.clock.now() - start
            if self.how.record:
                self.device.append(in_a_row(self.graph or self.eager, self.clock))
        self.rounds.append(float(np.median(took)))
        self.all += took

    def walls(self, calls: int) -> list[float]:
        """Seconds of each of some passes."""
        return [self.clock.wall(self.eager) for _ in range(calls)]

    def instrumented(self, calls: int) -> list[float]:
        """Seconds of each of some passes whose parts are marked, which adds to `parts`."""
        spans: dict[str, list[tuple]] = {name: [] for name in self.spans}

        @contextmanager
        def span(name: str) -> Iterator[None]:
            start = self.clock.mark()
            yield
            spans[name].append((start, self.clock.mark()))

        plain, self.lifter.span = self.lifter.span, span
        walls = []
        try:
            for _ in range(calls):
                for taken in spans.values():
                    taken.clear()
                begun, start = self.clock.now(), self.clock.mark()
                self.eager()
                whole = self.clock.seconds([(start, self.clock.mark())])
                walls.append(self.clock.now() - begun)
                marked = [sum(self.clock.seconds(spans[name])) for name in self.spans]
                self.parts.append(marked + whole)
        finally:
            self.lifter.span = plain
        return walls

    def breakdown(self) -> np.ndarray:
        """(calls, 5) seconds of a pass, as `breakdown` has it; of what else is timed its spans."""
        parts = np.array(self.parts)
        return breakdown(parts) if self.spans == SPANS else parts[:, :-1]

    def found(self, reference: Timed, share: float) -> list[Measurement]:
        """What this process tells, for `records.clocks.joined`."""
        out = getattr(self.lifter, "recovered", self.lifter.frames)  # as a lifter tells
        frames = 1 if self.lifter.centred else out
        told = {
            "rounds": self.rounds,
            "reference": reference.rounds,
            "calls": self.all,
            "first": [self.first],
            "cpu": [self.cpu / self.wall],
            "probe": [share],
            "clip": [self.how.batch, frames],
        }
        if self.spans:
            told["parts"] = np.median(self.breakdown(), axis=0).tolist()
            told["overhead"] = [float(np.median(self.overheads))]
        if self.load_s is not None:
            told["load"] = [self.load_s + self.first]
        if self.how.record:
            told |= {"device": self.device, "device_reference": reference.device}
            told["launches"] = [float(self.graph is None)]
        return [Measurement(name, numbers) for name, numbers in told.items()]


def breakdown(parts: np.ndarray) -> np.ndarray:
    """(calls, 5): embed, blocks, prune, recover, head of calls (calls, 5) of SPANS and the whole.

    What is in no span is of the blocks, and what lies between; launches may make it negative.
    """
    embed, prune, recover, head, whole = parts.T
    blocks = whole - embed - prune - recover - head
    return np.stack([embed, blocks, prune, recover, head], axis=1)


def recorded(call: Callable[[], object], how: Settings) -> Graph | None:
    """The call as a CUDA graph; None where it cannot be one and need not."""
    try:
        return Graph(call, how.pool)
    except Exception as error:
        check_usable(how.device, error)
        if how.graph:
            raise
        return None


def check_usable(device: str, error: Exception) -> None:
    """Poisoned where an error broke the device for the rest of the process (CUDA does that)."""
    if torch.device(device).type == "cuda":
        try:
            torch.zeros(1, device=device).cpu()
        except RuntimeError:
            raise Poisoned(f"{type(error).__name__}: {error}") from error

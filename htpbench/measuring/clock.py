"""How long something takes: marks on a device's time line, CPU time beside it, CUDA graphs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

NUMBERS = 2**17  # of a probe: enough to keep every thread busy
PROBE_S = 0.03
FREE = 0.97  # share of the CPU from which on nobody else seems to work
IN_A_ROW_S = 0.02  # calls in a row last at least as long


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

    def wall(self, call: Callable[[], object]) -> float:
        """Seconds that whoever calls waits: until the device has done all that it was asked."""
        start = self.now()
        call()
        return self.now() - start

    def now(self) -> float:
        """This moment, once the device has nothing left to do."""
        if self.cuda:
            torch.cuda.synchronize()
        return time.perf_counter()


class Graph:
    """A call recorded as a CUDA graph: a replay leaves out what Python and launching take."""

    def __init__(self, call: Callable[[], object], pool: Any) -> None:
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph, pool=pool):
            call()

    def __call__(self) -> None:
        """Replay it."""
        self.graph.replay()


def in_a_row(call: Callable[[], object], clock: Clock) -> float:
    """Seconds of a call on the device: of many in a row, which nobody waits for one by one."""
    count = 2
    while True:
        count *= 2
        start = clock.mark()
        for _ in range(count):
            call()
        (took,) = clock.seconds([(start, clock.mark())])
        if took >= IN_A_ROW_S or count > 1000:
            return took / count


class Probe:
    """How much of the CPU the process gets: all threads work, and that they do is counted.

    On a machine with nothing else to do CPU time is wall time x threads.
    """

    def __init__(self) -> None:
        self.numbers = torch.rand(NUMBERS * torch.get_num_threads())
        self.out = torch.empty_like(self.numbers)

    def share(self, seconds: float = PROBE_S) -> float:
        """CPU time over wall time x threads, for so long; 1: nothing else ran."""
        self.work()  # wakes the threads
        return self.of(self.work, seconds) / torch.get_num_threads()

    def work(self) -> None:
        """Sines, in all threads."""
        torch.sin(self.numbers, out=self.out)

    @staticmethod
    def of(work: Callable[[], object], seconds: float) -> float:
        """CPU time over wall time of work that is repeated for so long."""
        start, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - start < seconds:
            work()
        return (time.process_time() - cpu) / (time.perf_counter() - start)


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """So many threads of torch for a while; None: as many as it has."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def wait_quiet(seconds: float) -> None:
    """Wait until the CPU is free for a second, at most so long."""
    probe, stop, still = Probe(), time.monotonic() + seconds, 0
    while still < 5 and time.monotonic() < stop:
        still = still + 1 if probe.share(0.2) >= FREE else 0
        if not still:
            time.sleep(1.0)

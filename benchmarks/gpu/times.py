"""Forward passes by two clocks, eager and as a CUDA graph, in random order in fresh processes.

wall: what a caller waits for one call. device: a replayed graph, which leaves out the launches; a
call is bound by launches where the device is busy for less than 80 % of the wall. Each process
builds all networks anew; intervals are t over processes.
"""

import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import torch

from benchmarks.gpu.common import (
    FURTHER,
    Rows,
    device,
    interval,
    options,
    say,
    shrunk,
    synchronised,
    tables,
    walls,
)
from htpbench.diffusion.sampler import HypothesisSampler, Sampling
from htpbench.measuring.clock import Clock
from htpbench.measuring.timed import SPANS
from htpbench.network.build import build
from htpbench.systems.combination import parse

FIVE = (
    "mixste-243",
    "mixste-243+tpc:81@3+tra",
    "mixste-243+tps:81@3+tri",
    "mixste-243+tps:121@0,81@3+tri",
    "mixste-243+tps:121@0,27@3+tri",
)
ROUNDS = 2


class Case(NamedTuple):
    """One network as it is timed."""

    text: str
    batch: int
    dtype: str
    hypotheses: int = 0  # H = K of a whole prediction without flipping; 0: one call

    @property
    def conditions(self):
        told = {"batch": self.batch, "dtype": self.dtype, "inputs": "random"}
        if self.hypotheses:
            told |= {"hypotheses": self.hypotheses, "iterations": self.hypotheses}
        return told


def cases(rehearse, tables_alone):
    """All networks of the tables at batch 1 in float32, five of them in more ways."""
    more = [shrunk(one) for one in FURTHER] if rehearse else list(FURTHER)
    five = [shrunk(one) for one in FIVE] if rehearse else list(FIVE)
    batches = (1, 4) if rehearse else (1, 32)
    usual = [Case(text, 1, "float32") for text in dict.fromkeys(tables(rehearse) + more)]
    dtypes = ("float32", "tf32", "bfloat16")
    others = [Case(text, b, dtype) for text in five for b in batches for dtype in dtypes]
    wholes = [Case(one.text, 1, "float32", 5) for one in usual if one.text.startswith("d3dp")]
    return list(dict.fromkeys(usual + wholes + ([] if tables_alone else others)))


class Timed:
    """A network that is loaded, warm and, on a GPU, recorded as a graph."""

    def __init__(self, case, on, pool):
        torch.manual_seed(0)
        with torch.device(on):
            lifter = build(case.text).eval()
        if case.hypotheses:
            lifter = HypothesisSampler(
                lifter, Sampling(case.hypotheses, case.hypotheses), augment=False
            )
            lifter.rows = case.hypotheses
        self.lifter = lifter.to(torch.bfloat16) if case.dtype == "bfloat16" else lifter
        self.inputs = tuple(
            one.to(torch.bfloat16) if case.dtype == "bfloat16" and one.is_floating_point() else one
            for one in lifter.example(case.batch, on)
        )
        self.tf32 = case.dtype == "tf32"
        self.graph = None
        with torch.inference_mode(), precision(self.tf32):
            self.call(3)
            before = allocated()
            self.call(1)
            self.peak = allocated(peak=True) - before
            if on == "cuda" and not case.hypotheses:
                self.graph = torch.cuda.CUDAGraph()
                with torch.cuda.graph(self.graph, pool=pool):
                    self.lifter(*self.inputs)

    def call(self, times):
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        for _ in range(times):
            self.lifter(*self.inputs)
        synchronised()

    def visit(self):
        """Seconds of some calls by the wall, and of one call on the device."""
        with torch.inference_mode(), precision(self.tf32):
            self.lifter(*self.inputs)
            found = walls(lambda: self.lifter(*self.inputs))
            return found, self.replayed() if self.graph else min(found)

    def replayed(self, enough=0.05):
        """Seconds of one replay: many in a row between two events."""
        self.graph.replay()
        count, took = 5, 0.0
        while took < enough and count < 400:
            start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            for _ in range(count):
                self.graph.replay()
            stop.record()
            torch.cuda.synchronize()
            took = start.elapsed_time(stop) / 1e3
            last, count = took / count, 2 * count
        return last

    def shares(self, on, calls=10):
        """Pruning, and pruning with recovery, over the whole eager call, by events."""
        clock, spans = Clock(on), defaultdict(list)

        @contextmanager
        def span(name):
            start = clock.mark()
            yield
            spans[name].append((start, clock.mark()))

        plain, self.lifter.span = self.lifter.span, span
        found = []
        with torch.inference_mode(), precision(self.tf32):
            for _ in range(calls):
                spans.clear()
                start = clock.mark()
                self.lifter(*self.inputs)
                (whole,) = clock.seconds([(start, clock.mark())])
                prune, recover = (sum(clock.seconds(spans[name])) for name in SPANS[1:3])
                found.append((prune / whole, (prune + recover) / whole))
        self.lifter.span = plain
        return [statistics.median(column) for column in zip(*found, strict=True)]


@contextmanager
def precision(tf32):
    """Products of float32 as they are, or rounded to tf32 (cuDNN's as well)."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = tf32
    yield
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False


def allocated(peak=False):
    """Bytes that torch holds on the GPU now, or held at most."""
    if not torch.cuda.is_available():
        return 0
    return torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()


def child(number, rehearse, tables_alone, out):
    """One process: every case in ROUNDS random orders; what failed says why."""
    on = device(rehearse)
    pool = torch.cuda.graph_pool_handle() if on == "cuda" else None
    loaded, found = {}, []
    for case in cases(rehearse, tables_alone):
        try:
            loaded[case] = Timed(case, on, pool)
        except Exception as error:  # one network must not cost the others
            found.append({"case": case, "failed": f"{type(error).__name__}: {error}"[:300]})
    order = random.Random(number)
    rounds = defaultdict(list)
    for _ in range(ROUNDS):
        for case in order.sample(list(loaded), len(loaded)):
            rounds[case].append(loaded[case].visit())
    for case, one in loaded.items():
        share = one.shares(on) if "+" in case.text else [0.0, 0.0]
        said = {"case": case, "rounds": rounds[case], "shares": share, "peak": one.peak}
        found.append(said)
    Path(out).write_text(json.dumps(found))


def summed(processes):
    """case -> for each process: wall, p90, device, shares; and peak memory; and failures."""
    by_case, failed = defaultdict(list), {}
    for process in processes:
        for one in process:
            case = Case(*one["case"])
            if "failed" in one:
                failed[case] = one["failed"]
                continue
            calls = sorted(second for wall, _ in one["rounds"] for second in wall)
            by_case[case].append(
                {
                    "wall": statistics.median(calls),
                    "p90": calls[int(0.9 * (len(calls) - 1))],
                    "device": statistics.median(device for _, device in one["rounds"]),
                    "prune": one["shares"][0],
                    "prune_and_recover": one["shares"][1],
                    "peak": one["peak"],
                }
            )
    return by_case, failed


def write(rows, by_case):
    """Rows of each case: times, what they gain over the unpruned network in the same process."""
    for case, mine in by_case.items():
        base = by_case.get(case._replace(text=str(parse(case.text).unpruned)))
        measured = {}
        for clock in ("wall", "device"):
            value, low, high = interval([math.log(one[clock]) for one in mine])
            ends = (None, None) if low is None else (math.exp(low), math.exp(high))
            measured[f"time.{clock}"] = (math.exp(value), "s", *ends, len(mine))
            each = [one[clock] for one in mine]
            measured[f"time.{clock}_by_process"] = (each, "s", None, None, len(mine))
            if base and len(base) == len(mine):
                pairs = zip(base, mine, strict=True)
                gains = [math.log(b[clock] / m[clock]) for b, m in pairs]
                value, low, high = interval(gains)
                ends = (None, None) if low is None else (math.exp(low), math.exp(high))
                measured[f"time.{clock}_speedup"] = (math.exp(value), "1", *ends, len(mine))
        for metric, name, unit in (
            ("p90", "wall_p90", "s"),
            ("prune", "prune_alone_share", "1"),
            ("prune_and_recover", "prune_share", "1"),
        ):
            value = statistics.median(one[metric] for one in mine)
            measured[f"time.{name}"] = (value, unit, None, None, len(mine))
        busy = statistics.median(min(1.0, one["device"] / one["wall"]) for one in mine)
        measured["time.device_busy"] = (busy, "1", None, None, len(mine))
        measured["memory.forward_peak"] = (mine[0]["peak"], "B", None, None, 1)
        rows.write(case.text, case.conditions, measured)


def main():
    parser = options(__doc__)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--tables-alone", action="store_true", help="more processes a minute")
    parser.add_argument("--child", type=int)
    parser.add_argument("--out")
    asked = parser.parse_args()
    if asked.child is not None:
        return child(asked.child, asked.rehearse, asked.tables_alone, asked.out)
    rows = Rows(asked.results, device(asked.rehearse))
    begun, files = time.monotonic(), []
    with tempfile.TemporaryDirectory() as folder, suppress(KeyboardInterrupt):
        for number in range(asked.processes):
            if files and (time.monotonic() - begun) * (1 + 1 / len(files)) > asked.seconds:
                break  # the next would end too late
            file = Path(folder) / f"{number}.json"
            command = [sys.executable, "-m", "benchmarks.gpu.times", "--child", str(number)]
            command += ["--out", str(file)] + ["--rehearse"] * asked.rehearse
            command += ["--tables-alone"] * asked.tables_alone
            if subprocess.run(command, check=False).returncode == 0:
                files.append(json.loads(file.read_text()))
            say(process=number, seconds=round(time.monotonic() - begun, 1), whole=file.exists())
    by_case, failed = summed(files)
    write(rows, by_case)
    for case, why in failed.items():
        say(failed=case, why=why)
    for case, mine in by_case.items():
        wall, busy = (statistics.median(one[name] for one in mine) for name in ("wall", "device"))
        say(case=case, ms=round(1e3 * wall, 3), device_ms=round(1e3 * busy, 3))
    return 0 if files else 1


if __name__ == "__main__":
    sys.exit(main())

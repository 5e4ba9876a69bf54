"""Engines and precisions, whole and pruned: each over eager float32 and over its own unpruned.

All of them stand beside one another in rounds of fresh processes, so that one run holds all ratios.

    python -m benchmarks.engines [COMBINATION...] [--engines eager,openvino:bfloat16] [--threads 1]
"""

import argparse
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from htpbench.errors import BenchError
from htpbench.measuring.engined import Engined
from htpbench.measuring.sampled import call
from htpbench.measuring.timing import measure
from htpbench.network.build import build
from htpbench.records.clocks import joined
from htpbench.systems.registry import ENGINES

BACKBONE = "mixste-243"
PRUNED = ["tps:121@0,81@3+tri", "tpc:81@3+tra", "htp:109@0,81@3+tra"]
USUAL = "eager,eager:bfloat16,onnxruntime,onnxruntime:int8,openvino,openvino:bfloat16"


def make(kept, combination, engine, precision):
    lifter = build(combination).eval()
    if (engine, precision) == ("eager", "float32"):
        return lifter
    runner = ENGINES.load(engine)()
    runner.check(engine, precision, "cpu")
    return Engined(lifter, runner, precision, kept)


def process(cells, threads, rounds, kept):
    """What one process tells of each cell; files of networks stay in a folder for the next one."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    makers = {cell: partial(make, Path(kept), *cell) for cell in cells}
    found = {}
    for cell, told in measure(makers, rounds=rounds):
        if isinstance(told, Exception):
            print(f"{cell}: {type(told).__name__}: {told}", flush=True)
        else:
            found[cell] = {one.metric: one.value for one in told}
    return found


def arguments(description):
    """What the command line asks for."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("combinations", nargs="*")
    parser.add_argument("--engines", default=USUAL)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--processes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def crossed(names, engines):
    """(combination, engine, precision) of each, the first as eager torch in float32 runs it."""
    runs = [one.partition(":")[::2] for one in engines.split(",")]
    cells = [(name, engine, precision or "float32") for engine, precision in runs for name in names]
    if cells[0][1:] != ("eager", "float32"):
        raise BenchError("the first engine is eager, at float32: all others are told over it")
    return cells


def in_processes(process, cells, asked):
    """What each of some fresh processes tells."""
    parts = []
    with TemporaryDirectory() as kept:
        for _ in range(asked.processes):
            with get_context("spawn").Pool(1) as pool:
                parts.append(pool.apply(process, (cells, asked.threads, asked.rounds, kept)))
    print(f"{asked.threads} threads, batch 1, {asked.processes} processes; [95 %]")
    return parts


def main():
    asked = arguments(__doc__)
    names = asked.combinations or [BACKBONE, *(f"{BACKBONE}+{one}" for one in PRUNED)]
    whole, *_ = names
    cells = crossed(names, asked.engines)
    parts = in_processes(process, cells, asked)
    print("engine, precision, combination: ms, over eager float32, over its own unpruned, promised")
    operations = {name: call(build(name))[1] for name in names}
    promised = {name: operations[whole] / operations[name] for name in names}
    logs = {
        cell: [part[cell] for part in parts]
        for cell in cells
        if all(cell in part for part in parts)
    }
    for cell, told in logs.items():
        name, engine, precision = cell
        own = [part[whole, engine, precision]["rounds"] for part in parts]
        beside = [{**one, "reference": base} for one, base in zip(told, own, strict=True)]
        first, second = (
            {one.metric: one for one in joined("time", each)} for each in (told, beside)
        )
        gains = " ".join(spelled(one["time.speedup"]) for one in (first, second))
        milliseconds = 1e3 * first["time.forward"].value
        print(
            f"{engine:12} {precision:9} {name:34} {milliseconds:8.1f} {gains} {promised[name]:5.2f}"
        )


def spelled(one):
    ends = f"[{one.low:.2f}, {one.high:.2f}]" if one.low is not None else ""
    return f"{one.value:6.2f} {ends:15}"


if __name__ == "__main__":
    main()

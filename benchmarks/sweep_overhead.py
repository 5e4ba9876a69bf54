"""What the harness adds: per trial, when all is known; two workers against one."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"  # read when numpy and torch are imported

import torch

from htpbench.bench.runner import Runner
from htpbench.measuring.context import Context
from htpbench.search.sweep import sweep
from htpbench.study.study import Study

KNOWN, SHARED = 200, 24  # combinations


def combinations(count):
    """As many schedules of tiny MixSTE, F = 27, from mild to strong."""
    every = [
        f"mixste.tiny-27+{pruner}:{r}@{b}+tri"
        for b in (1, 2)
        for r in range(25, 1, -1)
        for pruner in ("tps", "tpc")
    ]
    every += [
        f"mixste.tiny-27+tps:{r}@{b},{s}@{b + 1}+tri"
        for b in (0, 1, 2)
        for r in range(25, 5, -1)
        for s in (3, 5)
    ]
    return ["mixste.tiny-27", *every][:count]


def study(count, meters):
    """A study of random weights on a few windows of embedded motion."""
    return Study(
        name="overhead",
        title="Overhead",
        meters=meters,
        combinations=combinations(count),
        objectives=["cost.flops", "accuracy.mpjpe" if "accuracy" in meters else "cost.params"],
        weights="random",
        evaluation={"flip": False},
    )


def overhead(folder):
    """Print seconds a trial beside the meters, then seconds of a sweep that finds all known."""
    spent, inner = [], Runner.outcome

    def timed(*arguments):
        start = time.perf_counter()
        found = inner(*arguments)
        spent.append(time.perf_counter() - start)
        return found

    Runner.outcome = timed
    for what in ("new", "known"):
        spent.clear()
        start = time.perf_counter()
        sweep(Runner(Context(study(KNOWN, ["cost"])), folder))
        whole = time.perf_counter() - start
        beside = (whole - sum(spent)) / KNOWN * 1e3
        print(
            f"{KNOWN} combinations, {what}: {whole:.1f} s, {beside:.1f} ms each beside the meters"
        )
    Runner.outcome = inner


def shared(folder):
    """Print how much sooner two workers end than one, cost and accuracy."""
    asked = study(SHARED, ["cost", "accuracy"])
    path = folder / "overhead.toml"
    names = ", ".join(f'"{name}"' for name in asked.combinations)
    path.write_text(
        f'title = "Overhead"\nmeters = ["cost", "accuracy"]\nweights = "random"\n'
        f"objectives = {asked.objectives}\ncombinations = [{names}]\n"
    )
    seconds = {}
    for workers in (1, 2):
        command = [sys.executable, "-m", "htpbench", "sweep", str(path), "--workers", str(workers)]
        start = time.perf_counter()
        place = ["--results", str(folder / f"r{workers}"), "--reports", str(folder / "reports")]
        subprocess.run([*command, *place], check=True, capture_output=True)
        seconds[workers] = time.perf_counter() - start
    ratio = seconds[1] / seconds[2]
    print(
        f"{SHARED} combinations: {seconds[1]:.1f} s by one worker, "
        f"{seconds[2]:.1f} s by two: {ratio:.2f} times"
    )


def main():
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        overhead(Path(folder) / "one")
        shared(Path(folder))


main()

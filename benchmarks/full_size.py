"""A forward pass of each backbone at full size, whole and pruned: time, memory and cost.

One clip, one thread, random weights. Times are seconds of that thread (not of the clock, so that
other work on the machine disturbs less): medians of rounds that run whole and pruned in turn, and
the median of the rounds' ratios. Memory is what a pass needs at its peak beyond the loaded network,
in a process of its own. The cost of one output frame is that of a pass over the poses that come
out: F in the seq2seq rows, one in the seq2frame rows.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from htpbench.measuring.counting import everything_counter, freeze
from htpbench.network.build import build
from htpbench.systems.combination import parse

ROUNDS = 5
NETWORKS = {  # pruned as in the H2OT paper; those that it does not prune, like those that it does
    "mixste-243": "+tps:121@0,81@3+tri",
    "motionbert-243": "+tps:121@0,81@1+tri",
    "motionagformer-243": "+tps:121@0,81@7+tri",
    "mhformer-351": "+tps:175@0,117@1",
    "ktpformer-243": "+tps:121@1,81@3+tri",
    "stcformer-243": "+tps:121@0,81@3+tri",
    "poseformer-81": "+tps:40@0,27@1",
    "strided-351": "+tps:175@0,117@1",
    "pstmo-243": "+tps:121@0,81@1",
    "uplift-71": "+tps:35@0,24@1+trc",
    "hdformer-96": "",  # no place to prune
}


def loaded(text):
    """A network in eval mode and its clip."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    lifter = build(text).eval()
    return lifter, lifter.example()


def megabytes(field):
    """A line of /proc/self/status: VmRSS is what is held now, VmHWM the most since the reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (one for one in lines if one.startswith(field))
    return int(line.split()[1]) / 1024


@torch.inference_mode()
def needed(text):
    """MB of the loaded network's parameters, and MB that a pass adds at its peak."""
    lifter, clip = loaded(text)
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = megabytes("VmRSS")
    lifter(*clip)
    parameters = sum(one.numel() * one.element_size() for one in lifter.parameters()) / 2**20
    return f"{parameters:.0f} {megabytes('VmHWM') - before:.0f}"


def memory(text):
    """`needed` in a process of its own."""
    command = [sys.executable, __file__, text]
    return map(int, subprocess.run(command, check=True, capture_output=True).stdout.split())


@torch.inference_mode()
def times(texts):
    """Seconds of each network in each round."""
    networks = [loaded(text) for text in texts]
    rounds = []
    for _ in range(ROUNDS + 1):  # the first warms up
        took = []
        for lifter, clip in networks:
            start = time.thread_time()
            lifter(*clip)
            took.append(time.thread_time() - start)
        rounds.append(took)
    return rounds[1:]


def flops(text):
    """Everything counted, attention included."""
    with torch.device("meta"):
        lifter = freeze(build(text))
    with everything_counter() as counter:
        lifter(*lifter.example(device="meta"))
    return counter.get_total_flops()


def a_frame(text):
    """GFLOP of one output frame."""
    return f"{flops(text) / parse(text).poses() / 1e9:.3g}"


def line(whole, schedule):
    """The cells of one network; a dash where it is not pruned."""
    texts = [whole, whole + schedule] if schedule else [whole]
    rounds = times(texts)
    seconds = [f"{statistics.median(column):.3g}" for column in zip(*rounds, strict=True)]
    weights, most = memory(whole)
    costs = [a_frame(text) for text in texts]
    if not schedule:
        return whole, weights, "-", seconds[0], "-", "-", "-", costs[0], "-", most, "-"
    left = statistics.median(after / before for before, after in rounds)
    share, (_, least) = flops(texts[1]) / flops(whole), memory(texts[1])
    cells = f"`{schedule[1:]}`", *seconds, f"{left:.1%}", f"{share:.1%}", *costs
    return whole, weights, *cells, most, least


def main():
    heads = "network", "weights, MB", "pruned", "s", "pruned, s", "time left", "FLOPs left"
    heads += "GFLOP a frame", "pruned", "MB", "pruned, MB"
    print("|", " | ".join(heads), "|")
    print("|", " | ".join(["---"] * len(heads)), "|")
    for whole, schedule in NETWORKS.items():
        print("|", " | ".join(map(str, line(whole, schedule))), "|", flush=True)


if __name__ == "__main__":
    print(needed(sys.argv[1])) if sys.argv[1:] else main()

"""Whole predictions of a diffusion lifter: time by H and K; what pruning inside each call gains.

Medians of rounds that interleave all that is compared; ratios are of one run.
"""

import argparse
import os

os.environ["OMP_NUM_THREADS"] = "1"  # read when numpy and torch are imported

import numpy as np
import torch

from htpbench.diffusion.sampler import HypothesisSampler, Sampling
from htpbench.measuring import timing
from htpbench.measuring.sampled import call
from htpbench.network.build import build
from htpbench.records.clocks import PARTS

GRID = [(hypotheses, iterations) for hypotheses in (1, 5, 20) for iterations in (1, 5, 10)]
PRUNED = [  # as at paper size: 121, 109 and 81 of 243 frames; masked or gathered
    ("tps:121@0,81@3+tri", False),
    ("tps:109@0,81@3+tra", False),
    ("htp:109@0,81@3+tra", False),
    ("htp~gamma=0:109@0,81@3+tra", False),
    ("htp:109@0,81@3+tra", True),
]


def seconds_of(wholes, rounds):
    """(rounds, n) seconds of one whole prediction each, in turn; and where each one's went."""
    makers = {place: lambda whole=whole: whole for place, whole in enumerate(wholes)}
    found = [
        {one.metric: one.value for one in told}
        for _, told in timing.measure(makers, rounds=rounds, round_s=0.001)
    ]
    return np.array([one["rounds"] for one in found]).T, [one["parts"] for one in found]


def by_number(name):
    """Print seconds a clip and a frame by H and K; each call comes twice, for the flip."""
    lifter = build(name)
    print(f"{name}: H, K, calls, seconds a clip, milliseconds a frame")
    for hypotheses, iterations in GRID:
        how = Sampling(hypotheses, iterations)
        taken, _ = seconds_of([HypothesisSampler(lifter, how)], rounds=3)
        seconds, told = np.median(taken), f"{hypotheses:3} {iterations:3} {how.calls(True):4}"
        print(f"{told} {seconds:8.2f} {seconds / lifter.frames * 1e3:8.2f}")


def pruned(name):
    """Print the speed-up of a whole prediction, H = K = 5, beside what operations promise."""
    base = build(name)
    lifters = [base, *(build(f"{name}+{text}", masked=masked) for text, masked in PRUNED)]
    taken, shares = seconds_of(
        [HypothesisSampler(lifter, Sampling(5, 5)) for lifter in lifters], rounds=3
    )
    names = ["unpruned", *(text + ", masked" * masked for text, masked in PRUNED)]
    whole = call(base)
    print(
        f"{name}, H = K = 5: seconds, speed-up, promised by all operations, by the papers'; share"
    )
    for i, lifter in enumerate(lifters):
        own, ratio = call(lifter), np.median(taken[:, 0] / taken[:, i])
        share = shares[i][PARTS.index("prune")] / sum(shares[i])
        print(
            f"{names[i]:28} {np.median(taken[:, i]):7.2f} {ratio:6.2f} "
            f"{whole[1] / own[1]:6.2f} {whole[0] / own[0]:6.2f} {share:7.1%}"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--by-number", default="d3dp.tiny-81")
    parser.add_argument("--pruned", default="d3dp.small-243")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    by_number(asked.by_number)
    pruned(asked.pruned)


main()

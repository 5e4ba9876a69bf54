"""A network against itself: how often a verdict is given where only detection noise differs.

    .venv/bin/python benchmarks/same_network.py --data cmu17.npz --data cmu17b.npz

Every two of 15 draws of simulated detections (and of the yaw of each clip) of mixste.tiny-81, of
which the first 100 pairs count; at most 5 may be better or worse.
"""

import argparse
from collections import Counter
from itertools import combinations, islice

import numpy as np
import torch

from htpbench import metrics
from htpbench.measuring.context import Context
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import predict
from htpbench.records.intervals import estimate
from htpbench.records.judging import word
from htpbench.study.loading import by_hand
from htpbench.systems.combination import parse

DRAWS, PAIRS = 15, 100


def main():
    """Print the verdicts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", action="append", default=None)
    parser.add_argument("--windows", type=int, default=150)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    network = parse("mixste.tiny-81")
    study = by_hand([network], ["accuracy"], asked.data, {}, weights="mixste.tiny-81")
    context = Context(study)
    lifter, found = context.lifter(network), []
    for seed in range(DRAWS):
        where = prepare(context.data, 81, "seq2seq", limit=asked.windows, seed=seed)
        lifted = predict(lifter, where.views, where.windows)
        truth = torch.from_numpy(where.views.poses3d[lifted.rows])
        errors = metrics.mpjpe(torch.from_numpy(lifted.poses), truth).numpy()
        clip = where.views.clip[where.views.view_of(lifted.rows)]
        found.append(np.bincount(clip, errors, minlength=len(where.views.clips)))
        counts = np.bincount(clip, minlength=len(where.views.clips))
    people = np.array([clip.person for clip in where.views.clips])
    verdicts, apart = Counter(), []
    for one, other in islice(combinations(found, 2), PAIRS):
        told = estimate(one - other, counts, people)
        apart.append(abs(told.value))
        verdicts[word("less", float(other.sum() / counts.sum()), *told.interval())] += 1
    print(f"{told.subjects} subjects, {asked.windows} windows: {dict(verdicts)}; apart by", end=" ")
    print(f"{np.median(apart):.2f} mm in the middle, {max(apart):.2f} at most")


if __name__ == "__main__":
    main()

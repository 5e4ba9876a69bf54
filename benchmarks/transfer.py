"""How far a network carries: MPJPE under other detectors, cameras, rates and motion, as a table.

    python benchmarks/transfer.py COMBINATION WEIGHTS... --data TEST.npz [--more MORE.npz]
        [--bvh FOLDER] [--real beam.npz]

Each line is one condition, each column one file of weights; intervals of 95 % are over persons. The
person of --real was filmed by four cameras: its lines have no interval.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from htpbench import metrics
from htpbench.datasets import open_data
from htpbench.measuring.prediction import predict
from htpbench.motion.cameras import screen
from htpbench.motion.clip import Take
from htpbench.motion.drawn import film
from htpbench.motion.protocols import cut
from htpbench.motion.resampling import resample
from htpbench.motion.skeleton import ROOT
from htpbench.motion.views import Views, downsample
from htpbench.network.load import load
from htpbench.records.intervals import estimate

DETECTORS = ("gt", "clean", "sh", "cpn", "rough", "mediapipe-heavy", "mediapipe-lite")
DRAWN = [7, 0]  # the seed of cameras that no training draws


def conditions(asked):
    """Yields the name of each condition and its views."""
    test = open_data(asked.data)
    for source in DETECTORS:
        yield f"the rig, {source}", test.views("test", source)
    yield "the rig, cpn, 25 Hz", downsample(test.views("test", "cpn"), 2)
    for source in ("cpn", "mediapipe-heavy"):
        yield f"drawn cameras, {source}", film(test.motion("test"), [source], 1.0, DRAWN)
    yield "synthetic motion, the rig, cpn", open_data("synthetic").views("test", "cpn")
    if asked.more:
        more = open_data(asked.more)
        yield f"{more.name}, the rig, cpn", more.views("test", "cpn")
        yield f"{more.name}, drawn cameras, cpn", film(more.motion("test"), ["cpn"], 1.0, DRAWN)
    if asked.bvh:
        bvh = open_data(f"bvh:{asked.bvh}")
        clips = [clip for split in bvh.splits for clip in bvh.motion(split)]
        yield "BVH files, drawn cameras, cpn", film(clips, ["cpn"], 1.0, DRAWN)
    if asked.real:
        with np.load(asked.real) as real:
            for name, key in (
                ("heavy", "poses2d"),
                ("full", "poses2d_full"),
                ("lite", "poses2d_lite"),
            ):
                yield f"a real detector, {name}", filmed(real, key)


def filmed(real, key):
    """The views of one detector's keypoints of four calibrated cameras, as they are."""
    poses2d, poses3d, step = [], [], 1 / float(real["fps"])
    world = resample(real["positions"].astype(np.float64), step)
    for view, size in enumerate(real["size"]):
        seen = resample(real[key][view].astype(np.float64), step)
        points = screen(seen[..., :2], tuple(map(int, size)))
        poses2d.append(np.concatenate([points, seen[..., 2:]], axis=-1))
        poses3d.append(world @ real["R"][view].T + real["t"][view])
    takes = [Take(f"camera {view + 1}", "one", "balance", "test") for view in range(len(poses2d))]
    return Views.of(takes, poses2d, poses3d, source=key)


def score(lifter, views):
    """MPJPE and P-MPJPE in mm, their interval's half (NaN for one person)."""
    found = predict(lifter, views, cut(views, lifter.frames))
    poses, truth = (torch.from_numpy(x) for x in (found.poses, views.truth[found.rows]))
    assert truth[:, ROOT].abs().max() == 0
    clip = views.clip[views.view_of(found.rows)]
    counts = np.bincount(clip, minlength=len(views.clips))
    persons = np.array([take.person for take in views.clips])
    for metric in (metrics.mpjpe, metrics.p_mpjpe):
        sums = np.bincount(clip, metric(poses, truth).numpy(), minlength=len(views.clips))
        own = estimate(sums, counts, persons)
        yield own.value, own.half() if own.subjects > 1 else np.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("combination")
    parser.add_argument("weights", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--more")
    parser.add_argument("--bvh", type=Path)
    parser.add_argument("--real", type=Path)
    asked = parser.parse_args()
    lifters = [load(asked.combination, weights) for weights in asked.weights]
    print("| MPJPE / P-MPJPE, mm | " + " | ".join(asked.weights) + " |")
    print("| --- |" + " --- |" * len(lifters))
    for name, views in conditions(asked):
        cells = [list(score(lifter, views)) for lifter in lifters]
        told = [
            f"{first:.1f}" + (f" ± {half:.1f}" if half == half else "") + f" / {aligned:.1f}"
            for (first, half), (aligned, _) in cells
        ]
        print(f"| {name} | " + " | ".join(told) + " |", flush=True)


if __name__ == "__main__":
    main()

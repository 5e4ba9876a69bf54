"""How fast data reach a network, on one thread: against a loader that loops over windows.

--data PATH takes other motion than the synthetic, --frames other windows than 81 and 243.
"""

import argparse
import os
import time

os.environ["OMP_NUM_THREADS"] = "1"  # read when numpy and torch are imported

import numpy as np
import torch

from htpbench.datasets import open_data
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import optimiser_of
from htpbench.measuring.prediction import BATCH
from htpbench.motion.filming import make_views
from htpbench.motion.protocols import cut
from htpbench.motion.skeleton import LEFT, RIGHT
from htpbench.systems.combination import parse
from htpbench.training.sampler import Sampler
from htpbench.training.step import advance
from htpbench.training.trainee import Trainee

ROUNDS = 7
BATCHES = 40  # a round
STEPS = 15


class Loop:
    """What the field's loaders do: a list of windows, each sliced, padded, mirrored and stacked."""

    def __init__(self, views, frames, stride):
        ends = list(zip(views.start, views.stop, strict=True))
        self.poses2d = [views.poses2d[a:b, :, :2] for a, b in ends]
        self.poses3d = [views.poses3d[a:b] / 1000 for a, b in ends]
        self.windows = [
            (number, start, start + frames)
            for number, poses in enumerate(self.poses2d)
            for start in range(0, len(poses), stride)
        ]

    @staticmethod
    def window(poses, start, stop, mirrored):
        cut_out = poses[start : min(stop, len(poses))]
        if stop > len(poses):
            cut_out = np.pad(cut_out, ((0, stop - len(poses)), (0, 0), (0, 0)), "edge")
        if mirrored:
            cut_out = cut_out.copy()
            cut_out[:, :, 0] *= -1
            cut_out[:, LEFT + RIGHT] = cut_out[:, RIGHT + LEFT]
        return cut_out[None]

    def batch(self, rng, size):
        poses2d, poses3d = [], []
        for place in rng.integers(len(self.windows), size=size):
            number, start, stop = self.windows[place]
            mirrored = rng.random() < 0.5
            poses2d.append(self.window(self.poses2d[number], start, stop, mirrored))
            poses3d.append(self.window(self.poses3d[number], start, stop, mirrored))
        return torch.from_numpy(np.concatenate(poses2d)), torch.from_numpy(np.concatenate(poses3d))

    def in_order(self):
        for first in range(0, len(self.windows), BATCH):
            rows = [
                self.window(self.poses2d[number], start, stop, False)
                for number, start, stop in self.windows[first : first + BATCH]
            ]
            yield torch.from_numpy(np.concatenate(rows))


def in_order(views, windows):
    """The batches that htpbench.measuring.prediction.predict gives to a network."""
    for first in range(0, len(windows), BATCH):
        index = windows[first : first + BATCH].index
        yield torch.from_numpy(views.poses2d.take(index, axis=0)[..., :2])


def compare(what, ours, loop):
    """Print frames/s of two functions, run in turns, that return how many frames they made."""
    found = []
    for _ in range(ROUNDS):
        for run in (ours, loop):
            start = time.perf_counter()
            frames = run()
            found.append(frames / (time.perf_counter() - start))
    one, two = np.array(found).reshape(ROUNDS, 2).T / 1e6  # (ROUNDS,) each
    ratio = np.median(one / two)
    print(f"{what}: {np.median(one):.2f} M frames/s, loop {np.median(two):.2f}: {ratio:.1f} times")


def training_step(data):
    """Print the share that Sampler.batch has of a step of training."""
    recipe = Recipe.of("mixste.tiny-81", (data,), batch=8, steps=STEPS)
    trainee = Trainee(parse(recipe.combination), any_schedule=False)
    optimiser = optimiser_of(recipe, trainee.parameters())
    sampler = Sampler(recipe, parse(recipe.combination))
    inner, spent = sampler.batch, []

    def timed(*arguments):
        start = time.perf_counter()
        batch = inner(*arguments)
        spent.append(time.perf_counter() - start)
        return batch

    sampler.batch = timed
    steps = []
    for step in range(STEPS):
        start = time.perf_counter()
        advance(recipe, trainee, optimiser, sampler, step, recipe.rate, "cpu")
        steps.append(time.perf_counter() - start)
    batch, whole = np.median(spent) * 1e3, np.median(steps) * 1e3
    print(
        f"a step of mixste.tiny-81, batch 8: {whole:.1f} ms, {batch:.2f} of them data: "
        f"{batch / whole:.1%}"
    )


def cutting(data, views, frames, size):
    """Print how fast windows come for training (2D and 3D, half mirrored) and evaluation (2D)."""
    rng = np.random.default_rng(0)
    text = f"mixste.tiny-{frames}"
    sampler = Sampler(Recipe.of(text, (data,), batch=size, steps=1), parse(text))
    loop = Loop(views, frames, max(frames // 4, 1))
    compare(
        f"training, F = {frames}, batch {size}",
        lambda: count(sampler.batch(rng, 0, 2)[0] for _ in range(BATCHES)),
        lambda: count(loop.batch(rng, size)[0] for _ in range(BATCHES)),
    )
    windows, loop = cut(views, frames), Loop(views, frames, frames)
    compare(
        f"evaluation, F = {frames}, batch {BATCH}",
        lambda: count(in_order(views, windows)),
        lambda: count(loop.in_order()),
    )


def count(batches):
    """Frames of batches (B, F, J, 2)."""
    return sum(poses.shape[0] * poses.shape[1] for poses in batches)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--frames", type=int, nargs="+", default=[81, 243])
    parser.add_argument("--batch", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    clips = open_data(given.data).motion("train")
    start = time.perf_counter()
    views = make_views(clips, "cpn", "all")
    seconds, frames = time.perf_counter() - start, len(views.poses2d)
    print(
        f"views: {frames} frames in {seconds:.1f} s, {frames / seconds:,.0f} frames/s, once a run"
    )
    for frames in given.frames:
        cutting(given.data, views, frames, given.batch)
    training_step(given.data)


main()

"""Batches: windows of the training views of data sets, half of them mirrored."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.learning.recipes import Recipe
from htpbench.measuring.official import in_unit, official
from htpbench.motion.dataset import check_apart
from htpbench.motion.drawn import film
from htpbench.motion.filmed import Filmed
from htpbench.motion.filming import check_source
from htpbench.motion.protocols import cut, named
from htpbench.motion.skeleton import flip
from htpbench.motion.views import Views, downsample
from htpbench.motion.windows import Windows
from htpbench.systems.combination import Combination


class Sampler:
    """Random windows of the training views of data sets; a batch depends on (seed, step).

    Motion is cut into windows a quarter of F apart, drawn with replacement; each epoch may film it
    anew (`Recipe.filmed`). What brings cameras of its own keeps them and is cut as the official
    codes do (`windows`), and an epoch shows each window once: as it is and mirrored, or one of the
    two (MotionBERT).
    """

    def __init__(self, recipe: Recipe, combination: Combination) -> None:
        self.recipe = recipe
        self.sets = [open_data(spec) for spec in recipe.data]
        alone = [one.name for one in self.sets if isinstance(one, Filmed)]
        if alone and len(self.sets) > 1:
            raise BenchError(
                f"{alone[0]} has cameras of its own, so it is trained on alone: name one --data"
            )
        if len(self.sets) > 1:
            check_apart(self.sets)
        self.unit = official(self.sets[0].layout, combination.card).unit
        self.anew = recipe.filmed is not None and not alone
        self.detectors = recipe.detectors or (recipe.detections,)
        for detector in self.detectors if self.anew else ():
            check_source(detector)  # now: a draw may come to it hours later
        laid = zip(self.lay(epoch=0), self.sets, strict=True)
        self.windows = [windows(views, combination, one.layout) for views, one in laid]
        shares = np.sqrt([len(windows) for windows in self.windows])
        self.shares = np.cumsum(shares / shares.sum())  # of the data sets, cumulated
        layout = self.sets[0].layout if len(self.sets) == 1 else ""
        self.once = bool(layout)  # each window once an epoch
        self.twice = bool(layout) and layout != "motionbert"  # and its mirror image
        self.order = (-1, np.empty(0, np.int64))  # of an epoch

    def views(self, source: int, epoch: int) -> Views:
        """The training views of a data set in an epoch, without subjects that are held out."""
        recipe, data = self.recipe, self.sets[source]
        clips = data.motion("train") if self.anew else None
        takes = data.takes("train") if clips is None else clips
        ours = np.array([take.subject not in recipe.held_out for take in takes])
        if not ours.any():
            raise BenchError(
                f"{data.name} has nobody to train on but {', '.join(recipe.held_out)}, held out; "
                "leave the data set out, or train with --best-on test"
            )
        if clips is not None and recipe.filmed is not None:
            seed = [recipe.seed, epoch, 2, source]
            chosen = [clip for clip, own in zip(clips, ours, strict=True) if own]
            return film(chosen, self.detectors, recipe.filmed, seed)
        views = data.views("train", recipe.detections, "all")
        ours = np.array([take.subject not in recipe.held_out for take in views.clips])
        return views.only(ours[views.clip])

    def lay(self, epoch: int) -> list[Views]:
        """Lay the views of an epoch ready for batches."""
        numbers = range(len(self.sets))
        found = [downsample(self.views(source, epoch), self.recipe.every) for source in numbers]
        found = [in_unit(views, self.unit) for views in found]
        self.epoch_laid = epoch
        self.poses2d: list[np.ndarray] = []  # (2 N, J, 3) each: mirror images behind the views
        self.targets: list[np.ndarray] = []  # as the network says poses: metres, or another unit
        for views in found:
            self.poses2d.append(with_mirror(views.poses2d))
            scale = np.float32(1000.0) if views.scale is None else views.scale[:, None, None]
            self.targets.append(with_mirror(views.truth) / with_both(scale))
        return found

    @property
    def epoch(self) -> int:
        """Steps an epoch: whole batches that fit into the windows; 1 where none does."""
        return max(self.images // self.recipe.batch, 1)

    @property
    def images(self) -> int:
        """Windows of an epoch; mirror images are counted where it shows both."""
        return sum(len(windows) for windows in self.windows) * (2 if self.twice else 1)

    def batch(self, rng: np.random.Generator, step: int, channels: int) -> tuple[Tensor, Tensor]:
        """(B, F, J, channels) screen units and (B, F, J, 3) targets, of one data set."""
        if self.anew and self.epoch_laid != step // self.epoch:
            self.lay(step // self.epoch)
        source = int(self.shares[:-1].searchsorted(rng.random(), side="right"))
        poses2d, targets, cuts = self.poses2d[source], self.targets[source], self.windows[source]
        drawn = self.next(step) if self.once else rng.integers(len(cuts), size=self.recipe.batch)
        mirrored = drawn >= len(cuts) if self.twice else rng.random(len(drawn)) < 0.5
        rows = cuts[drawn % len(cuts)].index  # (B, F)
        rows += len(poses2d) // 2 * mirrored[:, None]
        return (
            torch.from_numpy(poses2d.take(rows, axis=0)[..., :channels]),
            torch.from_numpy(targets.take(rows, axis=0)),
        )

    def next(self, step: int) -> np.ndarray:
        """(B,) the windows of a step, each once an epoch; those beyond all are mirror images."""
        epoch, at = divmod(step, self.epoch)
        if self.order[0] != epoch:
            rng = np.random.default_rng([self.recipe.seed, epoch, 1])
            self.order = epoch, rng.permutation(self.images)
        return self.order[1][at * self.recipe.batch :][: self.recipe.batch]


def windows(views: Views, combination: Combination, layout: str) -> Windows:
    """What is trained on of views, by the layout of their data.

    Human3.6M and MPI-INF-3DHP: windows in a row, padded on both sides, or one a frame (seq2frame);
    MotionBERT: a third of F apart. Without a layout: a quarter of F apart, all within their view.
    Where frames of the official windows lie apart, so do these, round the same middle.
    """
    frames, pipeline = combination.frames, combination.pipeline()
    if not layout:
        return cut(views, frames, stride=max(frames // 4, 1))
    if layout == "motionbert" and pipeline == "seq2seq":
        return cut(views, frames, stride=max(frames // 3, 1), protocol="motionbert")
    how = named(official(layout, combination.card).protocol)
    return cut(views, frames, pipeline, protocol="hot").spread(how.apart, how.inside)


def with_mirror(poses: np.ndarray) -> np.ndarray:
    """(N, J, C) -> (2 N, J, C): a batch is one gather when mirror images lie ready."""
    mirrored = flip(torch.from_numpy(poses)).numpy()
    return np.concatenate([poses, mirrored])


def with_both(scale: np.ndarray | np.float32) -> np.ndarray | np.float32:
    """A scale (N, 1, 1) for poses and their mirror images; one number stays what it is."""
    return np.concatenate([scale, scale]) if isinstance(scale, np.ndarray) else scale

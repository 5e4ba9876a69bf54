"""What is trained: a recipe, the parameters, and the lifter and the clips of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from htpbench import cards
from htpbench.combination import Combination, Part
from htpbench.errors import BenchError
from htpbench.lifter import Lifter, build, build_pruner, build_recoverer
from htpbench.meters.accuracy import flip
from htpbench.motion import open_motion
from htpbench.motion.views import Views, make_views
from htpbench.motion.windows import cut

LEAST = 3  # frames that training for any schedule keeps


@dataclass(frozen=True)
class Recipe:
    """All that decides a training run; a checkpoint resumes only under the same recipe."""

    combination: str
    data: tuple[str, ...]
    steps: int
    batch: int = 8
    rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: int = 200
    detections: str = "cpn"
    any_schedule: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch"):
            if getattr(self, name) < 1:
                raise BenchError(f"--{name} {getattr(self, name)}: expected 1 or more")
        if not 0 < self.rate < math.inf:
            raise BenchError(f"--rate {self.rate}: expected a number above 0, for example 0.003")


class Trainee(nn.Module):
    """The parameters under training, named as in a weights file."""

    def __init__(self, combination: Combination, any_schedule: bool) -> None:
        super().__init__()
        self.lifter = [build(combination, any_schedule=any_schedule)]  # hidden: no second names
        self.backbone = self.lifter[0].backbone
        names = built("recoverer") if any_schedule else []
        self.recoverer = nn.ModuleDict()
        for name in names:
            part = build_recoverer(Part(name), combination.frames, None, self.backbone)
            self.recoverer[name] = part
        if combination.recoverer and self.lifter[0].recoverer:
            self.recoverer[combination.recoverer.name] = self.lifter[0].recoverer
        self.pruners = [build_pruner(Part(name)) for name in built("pruner")]

    def draw(self, rng: np.random.Generator, any_schedule: bool) -> Lifter:
        """The lifter of one step: as it is, or with schedule, pruner and recoverer drawn.

        One step in four is unpruned; else 1 to 3 stages before random blocks, the numbers of
        frames log-uniform from LEAST up.
        """
        lifter = self.lifter[0]
        if not any_schedule or rng.random() < 0.25:
            return lifter
        blocks = len(self.backbone.blocks)
        stages = int(rng.integers(1, min(3, blocks) + 1))
        before = np.sort(rng.choice(blocks, size=stages, replace=False))
        logs = rng.uniform(math.log(LEAST), math.log(lifter.frames - 1), stages)
        kept = {round(float(r)) for r in np.exp(logs)}
        schedule = tuple(zip(sorted(kept, reverse=True), map(int, before), strict=False))
        pruner = self.pruners[rng.integers(len(self.pruners))]
        name = list(self.recoverer)[rng.integers(len(self.recoverer))]
        return lifter.with_schedule(schedule, pruner, self.recoverer[name])  # type: ignore


def built(kind: str) -> list[str]:
    """The shipped systems of a kind that have code."""
    return [name for name, card in cards.shipped(kind).items() if card.implementation]


class Sampler:
    """Random windows of the training views of several motions; a batch depends on (seed, step)."""

    def __init__(self, recipe: Recipe, frames: int) -> None:
        self.recipe = recipe
        self.motions = [open_motion(spec) for spec in recipe.data]
        self.views: list[Views] = []
        self.windows: list[np.ndarray] = []
        for motion in self.motions:
            views = make_views(motion.split("train"), recipe.detections, "all")
            self.views.append(views)
            self.windows.append(cut(views, frames, stride=max(frames // 4, 1)).index)

    def batch(self, rng: np.random.Generator, channels: int) -> tuple[Tensor, Tensor]:
        """(B, F, J, channels) screen units and (B, F, J, 3) metres; one motion, half mirrored."""
        sizes = np.array([len(index) for index in self.windows], dtype=float)
        source = int(rng.choice(len(sizes), p=np.sqrt(sizes) / np.sqrt(sizes).sum()))
        index = self.windows[source]
        rows = index[rng.integers(len(index), size=self.recipe.batch)]  # (B, F)
        poses2d = torch.from_numpy(self.views[source].poses2d[rows][..., :channels])
        poses3d = torch.from_numpy(self.views[source].poses3d[rows]) / 1000.0
        mirrored = torch.from_numpy(rng.random(len(rows)) < 0.5)
        poses2d[mirrored] = flip(poses2d[mirrored])
        poses3d[mirrored] = flip(poses3d[mirrored])
        return poses2d, poses3d

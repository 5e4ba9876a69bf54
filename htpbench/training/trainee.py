"""What is trained: the parameters, and the lifter and the clips of each step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from torch import nn

from htpbench.learning.recipes import LEAST
from htpbench.network.attention import readable
from htpbench.network.build import build, build_pruner, build_recoverer
from htpbench.network.contracts import Pruner
from htpbench.network.lifter import Lifter
from htpbench.systems import cards
from htpbench.systems.combination import Combination, Part
from htpbench.systems.refusals import WHOLLY, refusals


class Trainee(nn.Module):
    """The parameters under training, named as in a weights file."""

    def __init__(
        self, combination: Combination, any_schedule: bool, draws: Sequence[str] | None = None
    ) -> None:
        super().__init__()
        drawn = {
            kind: [name for name in cards.shipped(kind) if draws is None or name in draws]
            for kind in ("pruner", "recoverer")
        }
        self.lifter = [build(combination, any_schedule=any_schedule)]  # hidden: no second names
        self.backbone = self.lifter[0].backbone
        self.first = combination.card.first
        names = drawn["recoverer"] if any_schedule else []
        self.recoverer = nn.ModuleDict()
        refused = partial(refusals, combination.backbone, "tps")
        for name in (name for name in names if WHOLLY not in refused(name)):
            part = build_recoverer(Part(name), combination.frames, None, self.backbone)
            self.recoverer[name] = part
        if combination.recoverer and self.lifter[0].recoverer:
            self.recoverer[combination.recoverer.name] = self.lifter[0].recoverer
        self.pruners = [build_pruner(Part(name)) for name in drawn["pruner"]]
        self.readable = set(readable(self.backbone))

    def draw(self, rng: np.random.Generator, any_schedule: bool) -> Lifter:
        """The lifter of one step: as it is, or with schedule, pruner and recoverer drawn.

        One step in four is unpruned; else 1 to 3 stages before random blocks, the numbers of
        frames log-uniform from LEAST up. Pruners that read attention are drawn where there is any.
        """
        lifter = self.lifter[0]
        if not any_schedule or rng.random() < 0.25:
            return lifter
        places = len(self.backbone.blocks) - self.first
        stages = int(rng.integers(1, min(3, places) + 1))
        before = self.first + np.sort(rng.choice(places, size=stages, replace=False))
        logs = rng.uniform(math.log(LEAST), math.log(lifter.frames - 1), stages)
        kept = {round(float(r)) for r in np.exp(logs)}
        schedule = tuple(zip(sorted(kept, reverse=True), map(int, before), strict=False))
        pruners = [one for one in self.pruners if self.serves(one, schedule)]
        pruner = pruners[rng.integers(len(pruners))]
        name = list(self.recoverer)[rng.integers(len(self.recoverer))]
        return lifter.with_schedule(schedule, pruner, self.recoverer[name])  # type: ignore

    def serves(self, pruner: Pruner, schedule: tuple[tuple[int, int], ...]) -> bool:
        """Whether a pruner finds the attention it reads before every block of a schedule."""
        return "attention" not in pruner.needs or {b for _, b in schedule} <= self.readable

"""How long a run is: so many steps, or so many minutes of computing."""

from __future__ import annotations

import time

import torch

from htpbench.learning.recipes import Recipe

UNKNOWN = 10**6  # steps, before the first


class Length:
    """The end of a run, and how far it has come; `seconds` of computing so far.

    Computing is what steps take: scores and checkpoints are not in it. On a CPU a step takes no
    more than its CPU time, so that a busy machine does not shorten a run on one core.
    """

    def __init__(self, recipe: Recipe, epoch: int, device: str, seconds: float = 0.0) -> None:
        self.steps = recipe.steps or (recipe.epochs or 0) * epoch  # 0: minutes
        self.seconds, self.limit_s = seconds, 60 * (recipe.minutes or 0.0)
        on_cpu = torch.device(device).type == "cpu"
        self.clocks = (time.monotonic, time.process_time) if on_cpu else (time.monotonic,)
        self.begun: list[float] = []

    def begin(self) -> None:
        """A step begins."""
        self.begun = [clock() for clock in self.clocks]

    def end(self) -> None:
        """It ends."""
        now = [clock() for clock in self.clocks]
        self.seconds += min(b - a for a, b in zip(self.begun, now, strict=True))

    @property
    def share(self) -> float:
        """How much of the minutes is used, from 0 on."""
        return self.seconds / self.limit_s

    def over(self, done: int) -> bool:
        """Whether the run ends after `done` steps."""
        return done >= self.steps if self.steps else self.share >= 1

    def total(self, done: int) -> int:
        """Steps of the whole run; of minutes as many as there will be at the pace so far."""
        if self.steps:
            return self.steps
        return max(round(done / self.share), done + 1) if self.share else UNKNOWN

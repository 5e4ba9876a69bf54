"""How the learning rate runs over a training: a cosine, or a decay by the epoch."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=STRICT)
class Cosine:
    """Linear warm-up over `warmup` steps, then a cosine that ends at zero."""

    warmup: int = Field(ge=0)
    kind: Literal["cosine"] = "cosine"

    def rate(self, peak: float, step: int, steps: int, epoch: int) -> float:
        """The rate of one step of `steps`, counted from 0."""
        if step < self.warmup:
            return peak * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(steps - self.warmup, 1)
        return peak * (1 + math.cos(math.pi * progress)) / 2


@dataclass(frozen=True, config=STRICT)
class Halving:
    """After each `every`-th epoch the rate is multiplied by `factor`, not by the decay."""

    every: int = Field(ge=1)
    factor: float = Field(gt=0, le=1)


@dataclass(frozen=True, config=STRICT)
class PerEpoch:
    """The rate is multiplied by `decay` after each epoch."""

    decay: float = Field(gt=0, le=1)
    halving: Halving | None = None
    kind: Literal["epoch"] = "epoch"

    def rate(self, peak: float, step: int, steps: int, epoch: int) -> float:
        """The rate of one step, counted from 0, where an epoch has `epoch` steps."""
        done = step // epoch
        halvings = done // self.halving.every if self.halving else 0
        factor = self.halving.factor if self.halving else 1.0
        return peak * self.decay ** (done - halvings) * factor**halvings

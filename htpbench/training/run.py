"""What a training changes: the parameters, the optimiser's moments, the moving average."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from htpbench.learning.recipes import Recipe
from htpbench.training.trainee import Trainee


@dataclass
class Run:
    """A training on its way; `average` is None where the recipe has none.

    begun: what the card says of the weights that it began with. fingerprints: of the data.
    """

    recipe: Recipe
    trainee: Trainee
    optimiser: torch.optim.Optimizer
    begun: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    average: AveragedModel | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if decay := self.recipe.ema_decay:
            self.average = AveragedModel(self.trainee, multi_avg_fn=Rising(decay))

    def follow(self) -> None:
        """The average after one more step."""
        if self.average is not None:
            self.average.update_parameters(self.trainee)

    @property
    def result(self) -> Trainee:
        """The parameters that are scored and written."""
        return self.trainee if self.average is None else cast(Trainee, self.average.module)


@dataclass(frozen=True)
class Rising:
    """An exponential moving average whose decay rises from 0.1, so that a short run is not mostly
    its beginning."""

    decay: float

    def __call__(self, averages: Any, current: Any, count: Tensor | int) -> None:
        """Move lists of tensors towards the current ones, after `count` moves."""
        told = int(count)  # it lies on the CPU, whatever the device
        decay = min(self.decay, (1 + told) / (10 + told))
        get_ema_multi_avg_fn(decay)(averages, current, count)

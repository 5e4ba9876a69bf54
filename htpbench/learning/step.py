"""What every step of a training does with the networks of a recipe: losses, gradients, update."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from htpbench.diffusion.hypotheses import noised
from htpbench.diffusion.sampler import denoises
from htpbench.diffusion.schedule import STEPS
from htpbench.learning.losses import LOSSES
from htpbench.learning.recipes import Precision, Recipe
from htpbench.network.contracts import Lifted
from htpbench.network.lifter import Lifter

CLIP = 1.0  # of the gradient's norm, for every recipe: short runs at high rates need it
OPTIMISERS = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "amsgrad": partial(torch.optim.Adam, amsgrad=True),
}
Inputs = tuple[Tensor, ...]


def optimiser_of(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimiser, which updates all parameters in one kernel."""
    own = OPTIMISERS[recipe.optimiser]
    return own(parameters, lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True)


def shown(lifter: Lifter, poses2d: Tensor, targets: Tensor) -> Inputs:
    """What a lifter is shown: 2D, and for a denoiser the targets (B, F, J, 3) with noise."""
    if not denoises(lifter):
        return (poses2d,)
    time = torch.randint(STEPS, (len(targets),), device=targets.device)  # (B,)
    return poses2d, noised(targets, time, torch.randn_like(targets)), time


def loss_of(recipe: Recipe, lifter: Lifter, inputs: Inputs, targets: Tensor) -> Tensor:
    """The recipe's loss of a pass, with that of a head that serves training alone."""
    lifted = forward(lifter, inputs, recipe.precision)
    loss = LOSSES[recipe.loss](lifted.poses.float(), lifted.among(targets))
    if lifted.auxiliary is not None:
        said = lifted.auxiliary
        loss = loss + LOSSES[recipe.loss](said.poses.float(), said.among(targets))
    return loss


def forward(lifter: Lifter, inputs: Inputs, precision: Precision) -> Lifted:
    """One pass; in bfloat16 the lifter still embeds and regresses in float32.

    Metres in bfloat16 have steps of millimetres, and velocities are differences of them.
    """
    if precision == "float32":
        return lifter(*inputs)
    kind = inputs[0].device.type

    def span(part: str) -> AbstractContextManager:
        whole = part in ("embed", "head")
        return torch.autocast(kind, enabled=False) if whole else nullcontext()

    lifter.span = span
    with torch.autocast(kind, torch.bfloat16):
        return lifter(*inputs)


def update(optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter]) -> None:
    """The step of an optimiser along gradients that are there, clipped."""
    nn.utils.clip_grad_norm_(parameters, CLIP)
    optimiser.step()

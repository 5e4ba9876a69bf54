"""One step of a training: forward, loss, backward, optimiser; nothing waits for the device."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from htpbench.errors import BenchError
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import Inputs, loss_of, shown, update
from htpbench.training.sampler import Sampler
from htpbench.training.trainee import Trainee

Shown = tuple[Inputs, Tensor]  # what the lifter is shown, and the targets
AtOnce = Callable[[Callable[[Shown], list[Tensor]], list[Shown]], Iterable[list[Tensor]]]


@contextmanager
def at_once(recipe: Recipe, trainee: Trainee, device: str) -> Iterator[AtOnce]:
    """A `map` over the parts of a batch: on a CPU each has a thread, which has one core.

    BenchError where passes change or draw something, whose order would be left to chance.
    """
    if parts_of(recipe, device) == 1:
        yield map
        return
    for module in trainee.modules():
        if ordered(module):
            raise BenchError(
                f"parts = {recipe.parts}: a {type(module).__name__} of {recipe.combination} draws "
                "or counts while it is trained, so parts cannot be lifted at once; leave it out"
            )
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(parts_of(recipe, device), "part", torch.set_num_threads, (1,)) as pool:
        try:
            yield pool.map
        finally:
            torch.set_num_threads(threads)


def parts_of(recipe: Recipe, device: str) -> int:
    """How many parts of a batch are lifted at once: those of the recipe on a CPU, else 1."""
    return min(recipe.parts, recipe.batch) if torch.device(device).type == "cpu" else 1


def ordered(module: nn.Module) -> bool:
    """Whether a module's passes in training depend on those before."""
    rates = [getattr(module, name, 0) for name in ("p", "rate", "dropout")]
    drops = any(isinstance(rate, float) and rate > 0 for rate in rates)
    return drops or hasattr(module, "running_mean")


def advance(
    recipe: Recipe,
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    sampler: Sampler,
    step: int,
    rate: float,
    device: str,
    over: AtOnce = map,
) -> Tensor:
    """One step; its randomness depends on the seed and the step alone. Returns the loss."""
    rng = np.random.default_rng([recipe.seed, step])
    torch.manual_seed(int(rng.integers(2**31)))  # drop path, noise
    lifter = trainee.draw(rng, recipe.any_schedule).train()
    batch = sampler.batch(rng, step, trainee.backbone.channels)
    poses2d, targets = (x.to(device, non_blocking=True) for x in batch)
    inputs = shown(trainee.lifter[0], poses2d, targets)
    parameters = list(trainee.parameters())

    def learn(part: Shown) -> list[Tensor]:
        loss = len(part[1]) / len(targets) * loss_of(recipe, lifter, *part)
        return [loss.detach(), *torch.autograd.grad(loss, parameters, allow_unused=True)]

    split = [x.tensor_split(parts_of(recipe, device)) for x in (*inputs, targets)]
    parts = [(one[:-1], one[-1]) for one in zip(*split, strict=True) if len(one[-1])]
    losses, *found = zip(*over(learn, parts), strict=True)
    for parameter, gradients in zip(parameters, found, strict=True):
        gradient = total(gradients)
        # A tensor of its own, laid out as the parameter: the fused optimiser does not look at
        # strides, and clipping scales in place.
        parameter.grad = None if gradient is None else torch.empty_like(parameter).copy_(gradient)
    for group in optimiser.param_groups:
        group["lr"] = rate
    update(optimiser, parameters)
    return torch.stack(losses).sum()


def total(parts: tuple[Tensor | None, ...]) -> Tensor | None:
    """The sum over parts; None where all parts are (a parameter that nothing used)."""
    found = [one for one in parts if one is not None]
    return sum(found[1:], start=found[0]) if found else None

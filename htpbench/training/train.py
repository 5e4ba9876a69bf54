"""Training after a recipe: mirrored clips, one schedule or any, resume, last and best weights."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from htpbench.diffusion.sampler import Sampling, denoises
from htpbench.errors import BenchError
from htpbench.network import weights
from htpbench.network.contracts import Lifted
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse
from htpbench.training.checkpoint import resume, save, vacant
from htpbench.training.history import History, final_scores
from htpbench.training.losses import LOSSES
from htpbench.training.recipes import LEAST, Precision, Recipe
from htpbench.training.sampler import Sampler
from htpbench.training.trainee import Trainee

SAVE_EVERY_S = 60.0
CLIP = 1.0  # of the gradient's norm, for every recipe: short runs at high rates need it
OPTIMISERS = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "amsgrad": partial(torch.optim.Adam, amsgrad=True),
}


def usual_precision(device: str) -> Precision:
    """bfloat16 where the device is CUDA and computes in it, else float32."""
    on_cuda = torch.device(device).type == "cuda"
    return (
        "bfloat16"
        if on_cuda and torch.cuda.is_bf16_supported(including_emulation=False)
        else "float32"
    )


def train(
    recipe: Recipe,
    out: Path,
    device: str = "cpu",
    tick: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> Path:
    """Train to the end of the recipe, resuming from `out` if it holds its state.

    Returns the weights file `out`/weights.safetensors; `out`/best.safetensors holds those that
    scored best on the way, and both cards the scores. Ctrl-C stops between two steps and saves
    the state; a killed run resumes from the last saved step, to the same bits.
    """
    combination = parse(recipe.combination)
    if recipe.any_schedule and combination.pruner:
        raise BenchError("--any-schedule trains for all schedules; name the backbone alone")
    if recipe.any_schedule and combination.frames <= LEAST:
        raise BenchError(f"--any-schedule keeps {LEAST} frames or more; expected F above {LEAST}")
    torch.manual_seed(recipe.seed)
    draws = recipe.draws if recipe.any_schedule else None
    trainee = Trainee(combination, recipe.any_schedule, draws).to(device).train()
    optimiser = OPTIMISERS[recipe.optimiser](trainee.parameters(), weight_decay=recipe.weight_decay)
    sampler = Sampler(recipe, combination)
    steps = recipe.total(sampler.epoch)
    history = History(recipe, sampler.sets[0], steps, out, describe(recipe, sampler, trainee))
    state = out / "state.safetensors"
    if not state.exists():
        vacant(state)
        save(state, recipe, trainee, optimiser, 0, [])  # a folder that cannot be written: say it
    begin, history.points = resume(state, recipe, trainee, optimiser, steps)
    saved = time.monotonic()
    with deferred_interrupt() as interrupted:
        for step in range(begin, steps):
            done = step + 1
            tick(done, steps, advance(recipe, trainee, optimiser, sampler, step, device))
            if history.due(done):
                history.check(done, trainee, device)
            if interrupted or time.monotonic() - saved > SAVE_EVERY_S or done == steps:
                save(state, recipe, trainee, optimiser, done, history.points)
                saved = time.monotonic()
            if interrupted:
                raise KeyboardInterrupt
    card = history.card() | {"scores": final_scores(recipe, trainee, sampler.sets, device)}
    path = out / "weights.safetensors"
    weights.write(path, trainee.state_dict(), card)
    return path


def describe(recipe: Recipe, sampler: Sampler, trainee: Trainee) -> dict:
    """What the cards of a run say besides scores: how the weights come to be."""
    drawn = {"scored_with": asdict(Sampling())} if denoises(trainee.lifter[0]) else {}
    return {
        **drawn,
        **({} if sampler.unit == "m" else {"unit": sampler.unit}),
        "schedule": "any" if recipe.any_schedule else "same",
        "recipe": recipe.plain() | {"data": [one.name for one in sampler.sets]},
        "steps_per_epoch": sampler.epoch,
        "fingerprints": {one.name: one.fingerprint for one in sampler.sets},
    }


def advance(
    recipe: Recipe,
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    sampler: Sampler,
    step: int,
    device: str,
) -> float:
    """One step; its randomness depends on the seed and the step alone. Returns the loss."""
    rng = np.random.default_rng([recipe.seed, step])
    torch.manual_seed(int(rng.integers(2**31)))  # drop path, noise
    lifter = trainee.draw(rng, recipe.any_schedule).train()
    poses2d, targets = (x.to(device) for x in sampler.batch(rng, step, trainee.backbone.channels))
    lifted = forward(lifter, trainee.inputs(poses2d, targets), recipe.precision)
    loss = LOSSES[recipe.loss](lifted.poses.float(), lifted.among(targets))
    if lifted.auxiliary is not None:
        said = lifted.auxiliary
        loss = loss + LOSSES[recipe.loss](said.poses.float(), said.among(targets))
    if not torch.isfinite(loss):
        raise BenchError(
            f"the loss is not finite at step {step}; choose a lower --rate and another --out"
        )
    for group in optimiser.param_groups:
        group["lr"] = recipe.rate_schedule.rate(
            recipe.rate, step, recipe.total(sampler.epoch), sampler.epoch
        )
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(trainee.parameters(), CLIP)
    optimiser.step()
    return loss.item()


def forward(lifter: Lifter, inputs: tuple[Tensor, ...], precision: Precision) -> Lifted:
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


@contextmanager
def deferred_interrupt() -> Iterator[list[int]]:
    """A list that becomes non-empty at Ctrl-C, so that no step is cut in half."""
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)

"""Training: MixSTE's losses, mirrored clips, one schedule or any, resume, safe checkpoints."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import nn

from htpbench import weights
from htpbench.checkpoint import resume, save
from htpbench.combination import parse
from htpbench.errors import BenchError
from htpbench.losses import mixste_loss
from htpbench.meters import accuracy
from htpbench.motion.clip import Motion
from htpbench.trainee import LEAST, Recipe, Sampler, Trainee

SAVE_EVERY_S = 60.0


def rate_at(recipe: Recipe, step: int) -> float:
    """Linear warm-up, then cosine decay to zero."""
    if step < recipe.warmup:
        return recipe.rate * (step + 1) / recipe.warmup
    progress = (step - recipe.warmup) / max(recipe.steps - recipe.warmup, 1)
    return recipe.rate * (1 + math.cos(math.pi * progress)) / 2


def train(
    recipe: Recipe,
    out: Path,
    device: str = "cpu",
    tick: Callable[[int, float], None] = lambda step, loss: None,
) -> Path:
    """Train to the end of the recipe, resuming from `out` if it holds its state.

    Returns the weights file `out`/weights.safetensors. Ctrl-C stops between two steps and saves
    the state; a killed run resumes from the last saved step, to the same bits.
    """
    combination = parse(recipe.combination)
    if recipe.any_schedule and combination.pruner:
        raise BenchError("--any-schedule trains for all schedules; name the backbone alone")
    if recipe.any_schedule and combination.frames <= LEAST:
        raise BenchError(f"--any-schedule keeps {LEAST} frames or more; expected F above {LEAST}")
    torch.manual_seed(recipe.seed)
    trainee = Trainee(combination, recipe.any_schedule).to(device).train()
    optimiser = torch.optim.AdamW(trainee.parameters(), weight_decay=recipe.weight_decay)
    state = out / "state.safetensors"
    sampler = Sampler(recipe, combination.frames)
    if not state.exists():
        save(state, recipe, trainee, optimiser, 0)  # a folder that cannot be written: say it now
    begin = resume(state, recipe, trainee, optimiser)
    saved = time.monotonic()
    with deferred_interrupt() as interrupted:
        for step in range(begin, recipe.steps):
            tick(step + 1, advance(recipe, trainee, optimiser, sampler, step, device))
            if interrupted or time.monotonic() - saved > SAVE_EVERY_S or step + 1 == recipe.steps:
                save(state, recipe, trainee, optimiser, step + 1)
                saved = time.monotonic()
            if interrupted:
                raise KeyboardInterrupt
    path = out / "weights.safetensors"
    weights.write(path, trainee.state_dict(), describe(recipe, trainee, sampler.motions, device))
    return path


def describe(recipe: Recipe, trainee: Trainee, motions: list[Motion], device: str) -> dict:
    """The card: how the weights came to be, and what they score on each motion's test subjects."""
    combination = parse(recipe.combination)
    scores = []
    for motion in motions:
        where = accuracy.prepare(
            motion, combination.frames, combination.pipeline(), recipe.detections, limit=150
        )
        errors = accuracy.evaluate(trainee.lifter[0], where, device=device)
        found = accuracy.summarise(errors, tuple(clip.name for clip in where.views.clips))
        values = {one.metric: one.value for one in found if one.axis is None}
        scores.append({"combination": str(combination), **values, "conditions": where.card})
    return {
        "schedule": "any" if recipe.any_schedule else "same",
        "recipe": asdict(recipe) | {"data": [motion.name for motion in motions]},
        "fingerprints": {motion.name: motion.fingerprint for motion in motions},
        "scores": scores,
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
    torch.manual_seed(int(rng.integers(2**31)))  # drop path
    lifter = trainee.draw(rng, recipe.any_schedule).train()
    poses2d, targets = (x.to(device) for x in sampler.batch(rng, trainee.backbone.channels))
    lifted = lifter(poses2d)
    index = lifted.frames[:, :, None, None].expand(-1, -1, *targets.shape[2:])
    loss = mixste_loss(lifted.poses, targets.gather(1, index))
    if not torch.isfinite(loss):
        raise BenchError(
            f"the loss is not finite at step {step}; choose a lower --rate and another --out"
        )
    for group in optimiser.param_groups:
        group["lr"] = rate_at(recipe, step)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(trainee.parameters(), 1.0)
    optimiser.step()
    return loss.item()


@contextmanager
def deferred_interrupt() -> Iterator[list[int]]:
    """A list that becomes non-empty at Ctrl-C, so that no step is cut in half."""
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: asked.append(number))
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)

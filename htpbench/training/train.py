"""Training after a recipe: mirrored clips, one schedule or any, resume, last and best weights."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from itertools import chain, count
from pathlib import Path

import torch
from torch import Tensor

from htpbench.diffusion.sampler import Sampling, denoises
from htpbench.errors import BenchError
from htpbench.learning.recipes import LEAST, Precision, Recipe
from htpbench.learning.step import optimiser_of
from htpbench.motion.dataset import Dataset
from htpbench.network import weights
from htpbench.outside.signals import answered
from htpbench.systems.combination import parse
from htpbench.training.begin import begin_with
from htpbench.training.checkpoint import ELSEWHERE, resume, save, vacant
from htpbench.training.history import History, final_scores
from htpbench.training.length import Length
from htpbench.training.run import Run
from htpbench.training.sampler import Sampler
from htpbench.training.step import advance, at_once
from htpbench.training.trainee import Trainee

SAVE_EVERY_S = 60.0
LOOK_EVERY = 20  # steps: to look at a loss waits for the device


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
    scored: Callable[[int, float], None] = lambda step, error: None,
) -> Path:
    """Train to the end of the recipe, resuming from `out` if it holds its state.

    Returns the weights file `out`/weights.safetensors; `out`/best.safetensors holds those that
    scored best on the way, and both cards the scores. Ctrl-C and SIGTERM stop between two steps
    and save the state; a killed run resumes from the last saved step, to the same bits (of
    `minutes`: to as many, in which the rate follows the pace). `scored` is told each score, in mm.
    """
    combination = parse(recipe.combination)
    if recipe.any_schedule and combination.pruner:
        raise BenchError("--any-schedule trains for all schedules; name the backbone alone")
    if recipe.any_schedule and combination.frames <= LEAST:
        raise BenchError(f"--any-schedule keeps {LEAST} frames or more; expected F above {LEAST}")
    torch.manual_seed(recipe.seed)
    draws = recipe.draws if recipe.any_schedule else None
    trainee = Trainee(combination, recipe.any_schedule, draws).to(device).train()
    state = out / "state.safetensors"
    new = not os.path.exists(state)  # a state knows what it began with, and holds what came of it
    begun = begin_with(trainee, recipe.begin) if recipe.begin and new else {}
    sampler = Sampler(recipe, combination)
    seen = fingerprints(sampler.sets)
    run = Run(recipe, trainee, optimiser_of(recipe, trainee.parameters()), begun, seen)
    length = Length(recipe, sampler.epoch, device)
    history = History(recipe, sampler.sets, length, out, describe(recipe, sampler, trainee))
    if new:
        vacant(state)
        save(state, run, 0, length, [])  # a folder that cannot be written: say it
    done, history.points = resume(state, run, length, history.evaluation is not None)
    history.own |= run.begun
    saved, told = time.monotonic(), math.nan
    with deferred_interrupt() as interrupted, at_once(recipe, trainee, device) as over:
        while not length.over(done):
            length.begin()
            steps = length.total(done)
            rate = recipe.rate_schedule.rate(recipe.rate, done, steps, sampler.epoch)
            loss = advance(recipe, trainee, run.optimiser, sampler, done, rate, device, over)
            run.follow()
            done += 1
            # Stored is what is sound; and minutes are of what the device did, not of asking it.
            late = time.monotonic() - saved > SAVE_EVERY_S
            if late or not length.steps or done % LOOK_EVERY == 0 or math.isnan(told):
                told = finite(loss, done)
            length.end()
            tick(done, steps, told)
            due, stop = history.due(done), bool(interrupted)
            if due or stop:
                told = finite(loss, done)
            if due:
                history.check(done, run.result, device)
            if due or stop or late:
                save(state, run, done, length, history.points)
                saved = time.monotonic()
            if due and history.points:
                scored(*history.points[-1])
            if stop:
                raise KeyboardInterrupt(128 + interrupted[0])
    card = history.card() | {"scores": final_scores(recipe, run.result, sampler.sets, device)}
    path = out / "weights.safetensors"
    weights.write(path, run.result.state_dict(), card)
    return path


def finite(loss: Tensor, done: int) -> float:
    """The loss as a number, which waits for the device; BenchError where it is none."""
    value = loss.item()  # once it is not, it never is again
    if not math.isfinite(value):
        raise BenchError(f"the loss is not finite by step {done}; lower the rate, and {ELSEWHERE}")
    return value


def describe(recipe: Recipe, sampler: Sampler, trainee: Trainee) -> dict:
    """What the cards of a run say besides scores: how the weights come to be."""
    drawn = {"scored_with": asdict(Sampling())} if denoises(trainee.lifter[0]) else {}
    return {
        **drawn,
        **({} if sampler.unit == "m" else {"unit": sampler.unit}),
        "schedule": "any" if recipe.any_schedule else "same",
        "recipe": without_paths(recipe, sampler),
        "steps_per_epoch": sampler.epoch,
        "fingerprints": fingerprints(sampler.sets),
    }


def fingerprints(sets: Iterable[Dataset]) -> dict[str, str]:
    """Of data sets by their names; of one name in several folders each has its number."""
    found: dict[str, str] = {}
    for one in sets:
        numbered = (f"{one.name} ({number})" for number in count(2))
        name = next(name for name in chain([one.name], numbered) if name not in found)
        found[name] = one.fingerprint
    return found


def without_paths(recipe: Recipe, sampler: Sampler) -> dict:
    """A recipe as others read it: data and weights by their names."""
    begin = {"begin": Path(recipe.begin).stem} if recipe.begin else {}
    return recipe.plain() | {"data": [one.name for one in sampler.sets]} | begin


@contextmanager
def deferred_interrupt() -> Iterator[list[int]]:
    """A list that gets the number of Ctrl-C or SIGTERM, so that no step is cut in half."""
    asked: list[int] = []
    with answered(lambda number, frame: asked.append(number)):
        yield asked

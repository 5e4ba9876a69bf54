"""Steps of training a second, against the loop as it was, and where the time of a step goes.

The loop as it was: one forward and backward with all threads of torch, an optimiser that updates
parameter by parameter, and a loss that is read at each step. Both on the same batches, in turns.
"""

import argparse
import time

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from htpbench.learning.recipes import Recipe
from htpbench.learning.step import CLIP, OPTIMISERS, loss_of, optimiser_of, shown
from htpbench.systems.combination import parse
from htpbench.training.sampler import Sampler
from htpbench.training.step import advance, at_once
from htpbench.training.trainee import Trainee

ROUNDS = 7
STEPS = 8  # a round
SIZE = 2000  # of the square matrices whose product is the ceiling


def of_before(recipe, trainee, optimiser, sampler, step):
    """One step of the loop as it was."""
    rng = np.random.default_rng([recipe.seed, step])
    torch.manual_seed(int(rng.integers(2**31)))
    lifter = trainee.draw(rng, recipe.any_schedule).train()
    poses2d, targets = sampler.batch(rng, step, trainee.backbone.channels)
    loss = loss_of(recipe, lifter, shown(lifter, poses2d, targets), targets)
    if not torch.isfinite(loss):
        raise SystemExit("the loss is not finite")
    for group in optimiser.param_groups:
        group["lr"] = recipe.rate
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(trainee.parameters(), CLIP)
    optimiser.step()
    return loss.item()


def started(recipe):
    """A new trainee, and the batches."""
    torch.manual_seed(0)
    combination = parse(recipe.combination)
    return Trainee(combination, recipe.any_schedule), Sampler(recipe, combination)


def matmul():
    """FLOP/s of a large product on one thread."""
    one = torch.randn(SIZE, SIZE)
    took = []
    for _ in range(5):
        begun = time.perf_counter()
        one @ one
        took.append(time.perf_counter() - begun)
    return 2 * SIZE**3 / min(took)


def shares(recipe):
    """Seconds of the parts of a step on one thread: data, forward, backward, optimiser."""
    torch.set_num_threads(1)
    trainee, sampler = started(recipe)
    optimiser, found = optimiser_of(recipe, trainee.parameters()), []
    for step in range(3 * STEPS):
        rng, marks = np.random.default_rng([0, step]), [time.perf_counter()]
        lifter = trainee.draw(rng, recipe.any_schedule).train()
        poses2d, targets = sampler.batch(rng, step, trainee.backbone.channels)
        marks.append(time.perf_counter())
        loss = loss_of(recipe, lifter, shown(lifter, poses2d, targets), targets)
        marks.append(time.perf_counter())
        loss.backward()
        marks.append(time.perf_counter())
        nn.utils.clip_grad_norm_(trainee.parameters(), CLIP)
        optimiser.step()
        optimiser.zero_grad()
        marks.append(time.perf_counter())
        found.append(np.diff(marks))
    return np.median(found[STEPS:], axis=0)


def flops(recipe):
    """Of the matrix products of a step: three passes of an unpruned batch."""
    trainee, sampler = started(recipe)
    poses2d, targets = sampler.batch(np.random.default_rng(0), 0, trainee.backbone.channels)
    inputs = tuple(one.to("meta") for one in shown(trainee.lifter[0], poses2d, targets))
    lifter = trainee.lifter[0].eval().requires_grad_(False).to("meta")
    with FlopCounterMode(display=False) as counter:
        lifter(*inputs)
    return 3 * counter.get_total_flops()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--combination", default="mixste.tiny-81")
    parser.add_argument("--data", default="synthetic")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--any-schedule", action="store_true")
    asked = parser.parse_args()
    cores = torch.get_num_threads()
    recipe = Recipe.of(
        asked.combination,
        (asked.data,),
        batch=asked.batch,
        steps=1000,
        any_schedule=asked.any_schedule,
        parts=cores,
    )
    trainee, sampler = started(recipe)
    old = OPTIMISERS[recipe.optimiser](trainee.parameters(), weight_decay=recipe.weight_decay)
    new = optimiser_of(recipe, trainee.parameters())
    speeds = []
    for turn in range(ROUNDS):
        steps = range(turn * STEPS, (turn + 1) * STEPS)
        begun = time.perf_counter()
        for step in steps:
            of_before(recipe, trainee, old, sampler, step)
        between = time.perf_counter()
        with at_once(recipe, trainee, "cpu") as over:
            for step in steps:
                advance(recipe, trainee, new, sampler, step, recipe.rate, "cpu", over)
        ended = time.perf_counter()
        speeds.append((STEPS / (between - begun), STEPS / (ended - between)))
    before, now = np.array(speeds[1:]).T
    ratio = np.sort(now / before)
    print(
        f"{asked.combination}, batch {asked.batch}, {cores} cores: {np.median(now):.2f} steps/s, "
        f"as it was {np.median(before):.2f}: {np.median(ratio):.2f} times "
        f"[{ratio[0]:.2f}, {ratio[-1]:.2f}]"
    )
    spent = shares(recipe)
    names = ("data", "forward", "backward", "optimiser")
    parts = ", ".join(f"{n} {s / spent.sum():.1%}" for n, s in zip(names, spent, strict=True))
    print(f"a step on one core, {1e3 * spent.sum():.0f} ms: {parts}")
    if not asked.any_schedule:
        ceiling = matmul()
        reached = flops(recipe) / spent[1:3].sum()
        print(
            f"matrix products: {reached / 1e9:.1f} of {ceiling / 1e9:.1f} GFLOP/s in forward and "
            f"backward: {reached / ceiling:.2f} of the ceiling"
        )


if __name__ == "__main__":
    main()

"""Training: MixSTE's losses, mirrored clips, one schedule or any, resume, safe checkpoints."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from htpbench import cards, weights
from htpbench.combination import Combination, Part, parse
from htpbench.errors import BenchError
from htpbench.lifter import Lifter, build, build_pruner, build_recoverer
from htpbench.losses import mixste_loss
from htpbench.meters.accuracy import flip
from htpbench.motion import open_motion
from htpbench.motion.views import Views, make_views
from htpbench.motion.windows import cut

SAVE_EVERY_S = 60.0


@dataclass(frozen=True)
class Recipe:
    """All that decides a training run; a checkpoint resumes only under the same recipe."""

    combination: str
    data: tuple[str, ...]
    steps: int
    batch: int = 8
    rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: int = 200
    detections: str = "cpn"
    any_schedule: bool = False
    seed: int = 0


class Trainee(nn.Module):
    """The parameters under training, named as in a weights file."""

    def __init__(self, combination: Combination, any_schedule: bool) -> None:
        super().__init__()
        self.lifter = [build(combination, any_schedule=any_schedule)]  # hidden: no second names
        self.backbone = self.lifter[0].backbone
        names = built("recoverer") if any_schedule else []
        self.recoverer = nn.ModuleDict()
        for name in names:
            part = build_recoverer(Part(name), combination.frames, None, self.backbone)
            self.recoverer[name] = part
        if combination.recoverer and self.lifter[0].recoverer:
            self.recoverer[combination.recoverer.name] = self.lifter[0].recoverer
        self.pruners = [build_pruner(Part(name)) for name in built("pruner")]

    def draw(self, rng: np.random.Generator, any_schedule: bool) -> Lifter:
        """The lifter of one step: as it is, or with schedule, pruner and recoverer drawn.

        One step in four is unpruned; else 1 to 3 stages before random blocks, the numbers of
        frames log-uniform from 3 up.
        """
        lifter = self.lifter[0]
        if not any_schedule or rng.random() < 0.25:
            return lifter
        blocks = len(self.backbone.blocks)
        stages = int(rng.integers(1, min(3, blocks) + 1))
        before = np.sort(rng.choice(blocks, size=stages, replace=False))
        top = lifter.frames - 1
        kept = {round(float(r)) for r in np.exp(rng.uniform(math.log(3), math.log(top), stages))}
        schedule = tuple(zip(sorted(kept, reverse=True), map(int, before), strict=False))
        pruner = self.pruners[rng.integers(len(self.pruners))]
        name = list(self.recoverer)[rng.integers(len(self.recoverer))]
        return lifter.with_schedule(schedule, pruner, self.recoverer[name])  # type: ignore


def built(kind: str) -> list[str]:
    """The shipped systems of a kind that have code."""
    return [name for name, card in cards.shipped(kind).items() if card.implementation]


class Sampler:
    """Random windows of the training views of several motions; a batch depends on (seed, step)."""

    def __init__(self, recipe: Recipe, frames: int) -> None:
        self.recipe = recipe
        self.views: list[Views] = []
        self.windows: list[np.ndarray] = []
        for spec in recipe.data:
            views = make_views(open_motion(spec).split("train"), recipe.detections, "all")
            self.views.append(views)
            self.windows.append(cut(views, frames, stride=max(frames // 4, 1)).index)

    def batch(self, rng: np.random.Generator, channels: int) -> tuple[Tensor, Tensor]:
        """(B, F, J, channels) screen units and (B, F, J, 3) metres; one motion, half mirrored."""
        sizes = np.array([len(index) for index in self.windows], dtype=float)
        source = int(rng.choice(len(sizes), p=np.sqrt(sizes) / np.sqrt(sizes).sum()))
        index = self.windows[source]
        rows = index[rng.integers(len(index), size=self.recipe.batch)]  # (B, F)
        poses2d = torch.from_numpy(self.views[source].poses2d[rows][..., :channels])
        poses3d = torch.from_numpy(self.views[source].poses3d[rows]) / 1000.0
        mirrored = torch.from_numpy(rng.random(len(rows)) < 0.5)
        poses2d[mirrored] = flip(poses2d[mirrored])
        poses3d[mirrored] = flip(poses3d[mirrored])
        return poses2d, poses3d


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
    torch.manual_seed(recipe.seed)
    trainee = Trainee(combination, recipe.any_schedule).to(device).train()
    optimiser = torch.optim.AdamW(trainee.parameters(), weight_decay=recipe.weight_decay)
    state = out / "state.safetensors"
    begin = resume(state, recipe, trainee, optimiser) if state.exists() else 0
    sampler = Sampler(recipe, combination.frames)
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
    card = {"recipe": asdict(recipe), "schedule": "any" if recipe.any_schedule else "same"}
    weights.write(path, trainee.state_dict(), card)
    return path


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


def save(
    path: Path, recipe: Recipe, trainee: Trainee, optimiser: torch.optim.Optimizer, step: int
) -> None:
    """Parameters and the optimiser's moments, as one safetensors file with the recipe beside."""
    tensors = {f"model.{name}": tensor for name, tensor in trainee.state_dict().items()}
    for name, parameter in trainee.named_parameters():
        for moment, value in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser.{moment}.{name}"] = value
    weights.write(path, tensors, {"step": step, "recipe": asdict(recipe)})


def resume(path: Path, recipe: Recipe, trainee: Trainee, optimiser: torch.optim.Optimizer) -> int:
    """Load what `save` wrote; returns the number of steps done."""
    tensors, card = weights.read(path)
    theirs = card.get("recipe", {})
    for field, mine in asdict(recipe).items():
        other = theirs.get(field)
        if list(mine) != other if isinstance(mine, tuple) else mine != other:
            raise BenchError(
                f"{path} was trained with {field} = {other}, not {mine}; "
                "repeat that, or train into another folder with --out"
            )
    prefix = "model."
    trainee.load_state_dict(
        {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
    )
    for name, parameter in trainee.named_parameters():
        moments = ("step", "exp_avg", "exp_avg_sq")
        found = {m: tensors.get(f"optimiser.{m}.{name}") for m in moments}
        if all(value is not None for value in found.values()):
            optimiser.state[parameter] = found
    return int(card["step"])

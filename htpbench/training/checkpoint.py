"""The state of a training run: parameters, the optimiser's moments, scores, in one safe file."""

from __future__ import annotations

import math
import os
from pathlib import Path

import torch
from torch import Tensor

from htpbench.errors import BenchError
from htpbench.learning.recipes import Optimiser
from htpbench.network import weights
from htpbench.outside import files
from htpbench.training.length import Length
from htpbench.training.run import Run

Points = list[tuple[int, float]]  # (steps done, MPJPE in mm)
# What each optimiser keeps of a parameter, beside its number of steps.
MOMENTS: dict[Optimiser, tuple[str, ...]] = {
    "adamw": ("exp_avg", "exp_avg_sq"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "amsgrad": ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
}
ELSEWHERE = "choose another folder (train: --out, sweep: --runs)"
REMEDY = f"remove {{}} to train anew, or {ELSEWHERE}"


def save(path: Path, run: Run, step: int, length: Length, points: Points) -> None:
    """Write what `resume` needs as one safetensors file, with the recipe beside it."""
    tensors = models(run)
    for name, parameter in run.trainee.named_parameters():
        for moment, value in run.optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser.{moment}.{name}"] = value
    # Step and scores stand with the tensors: a kill between the two files cannot part them.
    tensors["step"] = torch.tensor(step)
    tensors["history"] = torch.tensor(points, dtype=torch.float64)  # (checks, 2)
    if not length.steps:
        tensors["seconds"] = torch.tensor(length.seconds, dtype=torch.float64)
    card = {"recipe": run.recipe.plain(), "fingerprints": run.fingerprints}
    weights.write(path, tensors, card | ({"begun": run.begun} if run.begun else {}))


def models(run: Run) -> dict[str, Tensor]:
    """The parameters, and their moving average if there is one, by the names in the file."""
    found = {f"model.{name}": tensor for name, tensor in run.trainee.state_dict().items()}
    if run.average is not None:
        own = run.average.state_dict()
        found["average.count"] = own.pop("n_averaged")
        found |= {name.replace("module", "average", 1): tensor for name, tensor in own.items()}
    return found


def vacant(state: Path) -> None:
    """BenchError where a new run would replace files that are no part of it.

    A run writes its state before anything else, and that state's card before the state.
    """
    names = [f"{name}.{end}" for name in ("weights", "best") for end in ("safetensors", "json")]
    taken = [path for path in map(state.with_name, names) if os.path.lexists(path)]
    card = state.with_suffix(".json")
    if os.path.lexists(card) and not _of_a_state(card):
        taken.append(card)
    if taken:
        raise BenchError(
            f"{taken[0]} is there without the state of the training that made it; move it away, "
            f"or {ELSEWHERE}"
        )


def _of_a_state(card: Path) -> bool:
    try:
        found = files.load_json(card).keys()
        return {"recipe"} <= found <= {"recipe", "fingerprints", "begun"}
    except (BenchError, AttributeError):
        return False


def resume(path: Path, run: Run, length: Length, scored: bool = True) -> tuple[int, Points]:
    """Load what `save` wrote on the way; returns the steps done and the scores.

    scored: whether the run is. BenchError where the file is damaged or of another run.
    """
    try:
        tensors, card = weights.read(path)
    except BenchError as error:
        raise BenchError(f"{error}; {REMEDY.format(path)}") from error
    theirs, ours = card.get("recipe", {}), run.recipe.plain()
    for name in dict.fromkeys([*ours, *theirs]):  # what is not used is not written
        if name not in theirs or name not in ours or ours[name] != theirs[name]:
            raise BenchError(
                f"{path} was trained with {name} = {theirs.get(name)!s:.100}, not "
                f"{ours.get(name)}; repeat that, or {ELSEWHERE}"
            )
    seen = card.get("fingerprints", run.fingerprints)  # states of before do not say it
    if seen != run.fingerprints:
        raise BenchError(
            f"{path} was trained on other data of the same name: what {', '.join(ours['data'])} "
            f"holds has changed since; {REMEDY.format(path.parent)}"
        )
    if fault := damage(tensors, run, length, scored):
        raise BenchError(f"{path} is damaged: {fault}; {REMEDY.format(path)}")
    for name, held in models(run).items():
        held.copy_(tensors[name])
    parameters = dict(run.trainee.named_parameters())
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, moment, name = key.split(".", 2)
            run.optimiser.state[parameters[name]][moment] = value.to(parameters[name].device)
    if not length.steps:
        length.seconds = float(tensors["seconds"])
    run.begun = card.get("begun", {})
    points = [(int(done), error) for done, error in tensors["history"].tolist()]
    return int(tensors["step"]), points


def damage(tensors: dict[str, Tensor], run: Run, length: Length, scored: bool) -> str:
    """What `save` would not have written on the way; "" where nothing is wrong."""
    if wrong := strangers(tensors, run, length):
        listed = f"{', '.join(wrong[:5])} ({len(wrong)})"
        return f"missing, not known, or of another shape or type: {listed}"
    step, points = int(tensors["step"]), [done for done, _ in tensors["history"].tolist()]
    rising = points == sorted({int(done) for done in points if 0 < done <= step})
    if length.steps:
        within, over = 0 <= step <= length.steps, step == length.steps
    else:
        seconds = float(tensors["seconds"])
        within, over = step >= 0 <= seconds < math.inf, seconds >= length.limit_s
    ended = points[-1:] == ([step] if scored else [])
    if not (within and rising and (not over or ended)):
        end = f"{length.steps} steps" if length.steps else f"{length.limit_s:g} s"
        return f"step {step} of {end}, scores after {points[-5:]}"
    return ""


def strangers(tensors: dict[str, Tensor], run: Run, length: Length) -> list[str]:
    """The names under which `save` would have written something else for this run."""
    expected = models(run)
    for name, parameter in run.trainee.named_parameters():
        alike = dict.fromkeys(MOMENTS[run.recipe.optimiser], parameter.detach())
        alike["step"] = torch.tensor(0.0)
        own = {f"optimiser.{moment}.{name}": like for moment, like in alike.items()}
        if own.keys() & tensors.keys():  # none at step 0, nor where no gradient ever came
            expected |= own
    expected |= {"step": torch.tensor(0), "history": torch.empty(0, dtype=torch.float64)}
    if not length.steps:
        expected["seconds"] = torch.tensor(0.0, dtype=torch.float64)
    scored = tensors.get("history", torch.empty(0)).shape
    if len(scored) == 2:
        expected["history"] = expected["history"].new_empty(scored[0], 2)
    kinds = ({name: (x.dtype, x.shape) for name, x in each.items()} for each in (expected, tensors))
    return sorted({name for name, _ in set.symmetric_difference(*(set(k.items()) for k in kinds))})

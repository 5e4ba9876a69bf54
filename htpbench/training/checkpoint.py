"""The state of a training run: parameters, the optimiser's moments, scores, in one safe file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from htpbench import weights
from htpbench.errors import BenchError
from htpbench.training.recipes import Recipe
from htpbench.training.trainee import Trainee

Points = list[tuple[int, float]]  # (steps done, MPJPE in mm)


def save(
    path: Path,
    recipe: Recipe,
    trainee: Trainee,
    optimiser: torch.optim.Optimizer,
    step: int,
    points: Points,
) -> None:
    """Write what `resume` needs as one safetensors file, with the recipe beside it."""
    tensors = {f"model.{name}": tensor for name, tensor in trainee.state_dict().items()}
    for name, parameter in trainee.named_parameters():
        for moment, value in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser.{moment}.{name}"] = value
    # Step and scores stand with the tensors: a kill between the two files cannot part them.
    tensors["step"] = torch.tensor(step)
    tensors["history"] = torch.tensor(points, dtype=torch.float64)  # (checks, 2)
    weights.write(path, tensors, {"recipe": recipe.plain()})


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
            "or train into another folder with --out"
        )


def _of_a_state(card: Path) -> bool:
    try:
        return json.loads(card.read_bytes()).keys() == {"recipe"}
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def resume(
    path: Path, recipe: Recipe, trainee: Trainee, optimiser: torch.optim.Optimizer
) -> tuple[int, Points]:
    """Load what `save` wrote; returns the number of steps done and the scores."""
    tensors, card = weights.read(path)
    theirs = card.get("recipe", {})
    for field, mine in recipe.plain().items():
        if field not in theirs or mine != theirs[field]:
            raise BenchError(
                f"{path} was trained with {field} = {theirs.get(field)}, not {mine}; "
                "repeat that, or train into another folder with --out"
            )
    prefix, parameters = "model.", dict(trainee.named_parameters())
    trainee.load_state_dict(
        {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
    )
    for key, value in tensors.items():  # no moments at step 0, nor where no gradient ever came
        if key.startswith("optimiser."):
            _, moment, name = key.split(".", 2)
            place = "cpu" if moment == "step" else parameters[name].device
            optimiser.state[parameters[name]][moment] = value.to(place)
    points = [(int(done), error) for done, error in tensors["history"].tolist()]
    return int(tensors["step"]), points

"""The state of a training run: parameters and the optimiser's moments in one safe file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from htpbench import weights
from htpbench.errors import BenchError
from htpbench.trainee import Recipe, Trainee


def save(
    path: Path, recipe: Recipe, trainee: Trainee, optimiser: torch.optim.Optimizer, step: int
) -> None:
    """Parameters and the optimiser's moments, as one safetensors file with the recipe beside."""
    tensors = {f"model.{name}": tensor for name, tensor in trainee.state_dict().items()}
    for name, parameter in trainee.named_parameters():
        for moment, value in optimiser.state.get(parameter, {}).items():
            tensors[f"optimiser.{moment}.{name}"] = value
    # The step stands with the tensors: a kill between the two files cannot part them.
    tensors["step"] = torch.tensor(step)
    weights.write(path, tensors, {"recipe": asdict(recipe)})


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
        for moment in ("step", "exp_avg", "exp_avg_sq"):
            key = f"optimiser.{moment}.{name}"
            if key in tensors:  # not at step 0, nor where no gradient ever came
                place = "cpu" if moment == "step" else parameter.device
                optimiser.state[parameter][moment] = tensors[key].to(place)
    return int(tensors["step"])

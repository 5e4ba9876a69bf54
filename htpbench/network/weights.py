"""Weights: safetensors files with a card beside them, and official checkpoint keys.

A file holds `backbone.*` and `recoverer.<name>.*`, so that one file can serve several recoverers.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from htpbench.errors import BenchError, OtherLengths, unknown
from htpbench.network.lifter import Lifter
from htpbench.outside import files
from htpbench.outside.drafts import draft
from htpbench.outside.models import Count, Seed, faults
from htpbench.systems.combination import Combination
from htpbench.systems.registry import BACKBONES, RECOVERERS
from htpbench.systems.shipped import data_folder


class Trained(BaseModel):
    """What a card says of the training, as far as rows repeat it."""

    model_config = ConfigDict(extra="allow", strict=True, allow_inf_nan=False)

    combination: str = ""
    seed: Seed = 0
    steps: Count | None = None
    epochs: Count | None = None
    minutes: float | None = None
    batch: Count | None = None
    rate: float | None = None
    every: Count = 1


class WeightsCard(BaseModel):
    """What is read of the card beside a file of weights."""

    model_config = ConfigDict(extra="allow", strict=True)

    schedule: str = ""
    recipe: Trained = Trained()
    unit: Literal["m", "mm", "half-width", "2.5D"] = "m"
    fingerprints: dict[str, str] = {}


class HasShape(Protocol):
    """A tensor, or what a checkpoint says of one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sizes."""
        ...


def shipped() -> dict[str, Path]:
    """The weights that come with the package, by name."""
    return {p.stem: p for p in sorted((data_folder() / "baselines/weights").glob("*.safetensors"))}


def fitting(combination: Combination) -> str:
    """The shipped weights of a combination's network; BenchError where there are none."""
    network = str(combination.unpruned)
    if network not in shipped():
        raise BenchError(
            f"no weights of {network} come with the package; name some with --weights, or take one "
            f"of {', '.join(shipped())}"
        )
    return network


def find(name: str) -> Path:
    """A shipped name or a path to a .safetensors file."""
    if name in shipped():
        return shipped()[name]
    path = Path(name)
    if path.suffix != ".safetensors":
        raise unknown("weights", name, [*shipped(), "random", "a path to a .safetensors file"])
    try:
        path.stem.encode()  # rows hold it
        return files.checked(path)
    except UnicodeEncodeError:
        raise BenchError(
            f"weights {name}: expected a name that is Unicode text; rename it"
        ) from None
    except BenchError as error:
        raise BenchError(f"weights {error}") from error


def read(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Tensors and card of a file; BenchError for what is not both. Nothing in them can run."""
    files.checked(path)
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, struct.error) as error:
        raise BenchError(f"{path} is not a readable safetensors file: {error}") from error
    if not tensors:
        raise BenchError(f"{path} holds no tensors; expected those of a trained network")
    return tensors, read_card(path)[0]


def read_card(path: Path) -> tuple[dict, WeightsCard]:
    """The card beside a file, and what is read of it; BenchError where it cannot be read."""
    file = path.with_suffix(".json")
    try:
        card = files.load_json(file)
        return card, WeightsCard.model_validate(card)
    except BenchError as error:
        raise BenchError(f"{file}: the weights' card cannot be read: {error}") from error
    except ValidationError as error:
        raise BenchError(f"{file}: the weights' card cannot be read: {faults(error)}") from error


def write(path: Path, tensors: dict[str, Tensor], card: dict) -> None:
    """Save tensors and their card; each file appears whole or not at all."""
    whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
    # The card, the inner one, takes its place first: tensors never lack their card.
    with draft(path) as file, draft(path.with_suffix(".json")) as beside:
        # Not `save_file`: a draft of its own stays where it is killed, readable by one user alone.
        file.write(save(whole))
        file.flush()  # a disk that is full says so before the card takes its place
        beside.write(json.dumps(card, indent=1).encode() + b"\n")


def schedule(path: Path, card: dict[str, Any]) -> str:
    """For which schedules weights were trained: "any" or "same"; BenchError where none is told."""
    found = card.get("schedule")
    if found not in ("any", "same"):
        raise BenchError(
            f"weights {path}: the card does not say for which schedules they were trained; "
            "expected the weights.safetensors of `htpbench train`"
        )
    return found


def load_into(lifter: Lifter, combination: Combination, tensors: dict[str, Tensor]) -> None:
    """Fill a lifter from a file's tensors; BenchError lists what is missing or misshapen."""
    recoverer = combination.recoverer.name if combination.recoverer else None
    own = {
        re.sub(rf"^recoverer\.{recoverer}\.", "recoverer.", key): tensor
        for key, tensor in tensors.items()
        if key.startswith("backbone.") or key.startswith(f"recoverer.{recoverer}.")
    }
    fill(lifter, own, str(combination))


def load_official(lifter: Lifter, combination: Combination, state: dict[str, Tensor]) -> None:
    """Fill a lifter from an official state dict; every key must find its place and be used."""
    named = {official_key(key, combination): tensor for key, tensor in state.items()}
    named.pop("", None)  # what the card says follows from the hyper-parameters
    fill(lifter, named, str(combination))


def official_key(key: str, combination: Combination) -> str:
    """Our name of an official checkpoint key, by the rules of the cards."""
    for pattern, replacement in rules(combination):
        key = re.sub(pattern, replacement, key)
    return key


def rules(combination: Combination) -> list[tuple[str, str]]:
    """What official keys are renamed by, in this order: regular expression, text."""
    recoverer = combination.recoverer
    own = RECOVERERS.card(recoverer.name).keys if recoverer else []
    return [*BACKBONES.card(combination.backbone).keys, *own]


@dataclass(frozen=True)
class Fit:
    """Where tensors and the parameters of a lifter differ, by our names."""

    expected: int  # keys
    missing: list[str]
    extra: list[str]
    shapes: dict[str, str]  # key -> what it is and what it should be
    lengths: str  # as frames@block where the tensors have other lengths than the lifter, else ""


def fit(lifter: Lifter, tensors: Mapping[str, HasShape]) -> Fit:
    """Compare key by key and shape by shape."""
    expected = lifter.state_dict()
    shapes = {
        key: f"{list(tensors[key].shape)}, not {list(expected[key].shape)}"
        for key in sorted(expected.keys() & tensors.keys())
        if tuple(tensors[key].shape) != tuple(expected[key].shape)
    }
    lengths = ""
    if shapes and lifter.backbone.per_length:
        theirs, ours = (lengths_in(one, lifter) for one in (tensors, expected))
        if theirs and theirs != ours:
            lengths = f"as frames@block the file serves {theirs} alone, not {ours}"
    missing = sorted(expected.keys() - tensors.keys())
    return Fit(len(expected), missing, sorted(tensors.keys() - expected.keys()), shapes, lengths)


def fill(lifter: Lifter, tensors: dict[str, Tensor], what: str) -> None:
    """Load a state dict that must match key by key and shape by shape.

    BenchError lists what does not; OtherLengths where lengths are among it that the weights own.
    """
    found = fit(lifter, tensors)
    if found.missing or found.extra or found.shapes:
        shapes = [f"{key} is {said}" for key, said in found.shapes.items()]
        kinds = (("missing", found.missing), ("not known", found.extra), ("wrong shape", shapes))
        faults = [f"{kind}: {', '.join(keys[:5])} ({len(keys)})" for kind, keys in kinds if keys]
        error = OtherLengths if found.lengths else BenchError
        raise error(f"the weights do not fit {what}: {found.lengths or '; '.join(faults)}")
    lifter.load_state_dict(tensors)


def lengths_in(tensors: Mapping[str, HasShape], lifter: Lifter) -> str:
    """The frames that a file's blocks have parameters for, as frames@block where they change."""
    found, present = [], None
    for block in range(len(lifter.backbone.blocks)):
        rows = tensors.get(f"backbone.blocks.{block}.{lifter.backbone.length_key}")
        if rows is not None and rows.shape[:1] != present:
            present = rows.shape[:1]
            found.append(f"{present[0] if present else 0}@{block}")
    return ", ".join(found)

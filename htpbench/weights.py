"""Weights: safetensors files with a card beside them, and official checkpoint keys.

A file holds `backbone.*` and `recoverer.<name>.*`, so that one file can serve several recoverers.
"""

from __future__ import annotations

import json
import os
import re
import struct
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from htpbench.combination import Combination
from htpbench.data import data_folder
from htpbench.errors import BenchError, OtherLengths, unknown
from htpbench.lifter import Lifter
from htpbench.registry import BACKBONES, RECOVERERS


def shipped() -> dict[str, Path]:
    """The weights that come with the package, by name."""
    return {p.stem: p for p in sorted((data_folder() / "baselines/weights").glob("*.safetensors"))}


def find(name: str) -> Path:
    """A shipped name or a path to a .safetensors file."""
    if name in shipped():
        return shipped()[name]
    path = Path(name)
    if path.suffix != ".safetensors":
        raise unknown("weights", name, [*shipped(), "random", "a path to a .safetensors file"])
    if not path.is_file():
        raise BenchError(f"weights {name}: no such file")
    return path


def read(path: Path) -> tuple[dict[str, Tensor], dict]:
    """Tensors and card of a file; BenchError for what is not both. Nothing in them can run."""
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError, struct.error) as error:
        raise BenchError(f"{path} is not a readable safetensors file: {error}") from error
    file = path.with_suffix(".json")
    try:
        card = json.loads(file.read_text())
        if not isinstance(card, dict):
            raise ValueError(f"expected an object, found {type(card).__name__}")
    except (OSError, ValueError) as error:
        raise BenchError(f"{file}: the weights' card cannot be read: {error}") from error
    return tensors, card


def write(path: Path, tensors: dict[str, Tensor], card: dict) -> None:
    """Save tensors and their card; each file appears whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps(card, indent=1) + "\n")
        os.replace(draft, path.with_suffix(".json"))  # first: tensors never lack their card
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft)
        os.replace(draft, path)
    except (OSError, SafetensorError) as error:
        raise BenchError(f"cannot write {path}: {error}; choose another folder") from error


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
    fill(lifter, {official_key(key, combination): t for key, t in state.items()}, str(combination))


def official_key(key: str, combination: Combination) -> str:
    """Our name of an official checkpoint key, by the rules of the cards."""
    rules = list(BACKBONES.card(combination.backbone).keys)
    if combination.recoverer:
        rules += RECOVERERS.card(combination.recoverer.name).keys
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key


def fill(lifter: Lifter, tensors: dict[str, Tensor], what: str) -> None:
    """Load a state dict that must match key by key and shape by shape.

    BenchError lists what does not; OtherLengths where lengths are among it that the weights own.
    """
    expected = lifter.state_dict()
    missing = sorted(expected.keys() - tensors.keys())
    extra = sorted(tensors.keys() - expected.keys())
    shapes = [
        f"{key} is {list(tensors[key].shape)}, not {list(expected[key].shape)}"
        for key in sorted(expected.keys() & tensors.keys())
        if tensors[key].shape != expected[key].shape
    ]
    if missing or extra or shapes:
        kinds = (("missing", missing), ("not known", extra), ("wrong shape", shapes))
        faults = [f"{kind}: {', '.join(keys[:5])} ({len(keys)})" for kind, keys in kinds if keys]
        error = BenchError
        if lifter.backbone.per_length:
            theirs, ours = (lengths_in(one, lifter) for one in (tensors, expected))
            if theirs and theirs != ours:
                error = OtherLengths
                faults = [f"as frames@block the file serves {theirs} alone, not {ours}"]
        raise error(f"the weights do not fit {what}: {'; '.join(faults)}")
    lifter.load_state_dict(tensors)


def lengths_in(tensors: dict[str, Tensor], lifter: Lifter) -> str:
    """The frames that a file's blocks have parameters for, as frames@block where they change."""
    found, present = [], None
    for block in range(len(lifter.backbone.blocks)):
        rows = tensors.get(f"backbone.blocks.{block}.{lifter.backbone.length_key}")
        if rows is not None and len(rows) != present:
            present = len(rows)
            found.append(f"{present}@{block}")
    return ", ".join(found)

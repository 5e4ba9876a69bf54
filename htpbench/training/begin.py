"""Weights that a training begins with: of the same backbone, for the same F or another."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from htpbench.errors import BenchError
from htpbench.network import weights
from htpbench.training.trainee import Trainee


def begin_with(trainee: Trainee, name: str, frames: int) -> dict[str, Any]:
    """Load shipped weights, or a file, into what is trained for F frames; what the card says of it.

    A parameter with one place a frame is interpolated to F. A recoverer that the file lacks stays
    as it was drawn. BenchError where parameters of the backbone are missing or of another shape.
    """
    path = weights.find(name)
    tensors, _ = weights.read(path)
    own = trainee.state_dict()
    for key, held in own.items():
        if key in tensors:
            held.copy_(fitted(key, tensors[key], held, frames, path))
        elif key.startswith("backbone."):
            raise BenchError(f"{path} has no {key}; expected weights of the same backbone and size")
    unused = [key for key in tensors if key.startswith("backbone.") and key not in own]
    if unused:
        raise BenchError(
            f"{path} has {unused[0]}, which is not of this backbone; name other weights"
        )
    return {"begun_with": path.stem, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:12]}


def fitted(key: str, tensor: Tensor, like: Tensor, frames: int, path: Path) -> Tensor:
    """A tensor in another's shape, linear along the one axis that has a place for each frame."""
    if tensor.shape == like.shape:
        return tensor
    unlike = [axis for axis, size in enumerate(like.shape) if tensor.shape[axis:][:1] != (size,)]
    if tensor.ndim != like.ndim or len(unlike) != 1 or like.shape[unlike[0]] != frames:
        expected = " x ".join(map(str, like.shape))
        raise BenchError(
            f"{path}: {key} is {' x '.join(map(str, tensor.shape))}, expected {expected}; begin "
            "with weights of the same backbone and size"
        )
    lines = tensor.movedim(unlike[0], -1)  # (..., F of the file)
    flat = lines.reshape(1, -1, lines.shape[-1]).to(torch.float32)
    found = functional.interpolate(flat, size=frames, mode="linear", align_corners=True)
    return found.view(*lines.shape[:-1], frames).movedim(-1, unlike[0])

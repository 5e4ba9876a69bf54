"""Weights that a training begins with: of the same backbone, for the same F or another."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from htpbench.errors import BenchError, unknown
from htpbench.network import weights
from htpbench.training.trainee import Trainee

# Parameters with one place a frame, between which one can go. Others with an axis of F are not so:
# the weights of a mean sum to one.
CODES = re.compile(r".*\.(frame_code|queries|codes\.\d+)")


def begin_with(trainee: Trainee, name: str) -> dict[str, Any]:
    """Load shipped weights, or a file, into what is trained; what its card says of that.

    Codes of frames are interpolated to another F. A recoverer that the file lacks stays as it was
    drawn. BenchError where a parameter of the backbone is missing, not numbers, or does not fit.
    """
    if name == "random":
        raise unknown("weights", name, [*weights.shipped(), "a path to a .safetensors file"])
    path = weights.find(name)
    tensors, card = weights.read(path)
    for key, held in trainee.state_dict().items():
        if key in tensors:
            try:
                held.copy_(fitted(key, tensors.pop(key), held))
            except ValueError as fault:
                raise BenchError(f"{path}: {key} {fault}; name other weights") from None
        elif key.startswith("backbone."):
            raise BenchError(f"{path} has no {key}; expected weights of the same backbone and size")
    if strange := [key for key in tensors if key.startswith("backbone.")]:
        raise BenchError(f"{path} has {strange[0]}; expected weights of the same backbone and size")
    told = {"name": path.stem, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()[:12]}
    kept = {name: card[name] for name in ("recipe", "begun_with") if name in card}
    return {"begun_with": told | kept}


def fitted(key: str, tensor: Tensor, like: Tensor) -> Tensor:
    """A tensor in another's shape; ValueError says what is wrong with it."""
    if tensor.dtype.is_floating_point != like.dtype.is_floating_point or tensor.is_complex():
        raise ValueError(f"is of type {tensor.dtype}, expected {like.dtype}")
    if not tensor.isfinite().all():
        raise ValueError("holds NaN or infinity")
    if tensor.shape == like.shape:
        return tensor
    sizes = enumerate(zip(tensor.shape, like.shape, strict=False))
    unlike = [axis for axis, (theirs, ours) in sizes if theirs != ours]
    code = CODES.fullmatch(key) and tensor.ndim == like.ndim and len(unlike) == 1
    if not (code and tensor.numel()):
        raise ValueError(
            f"is {list(tensor.shape)}, expected {list(like.shape)}: of the same backbone, size and "
            "F (of another F only codes of frames are brought to it)"
        )
    lines = tensor.movedim(unlike[0], -1)  # (..., F of the file)
    flat = lines.reshape(1, -1, lines.shape[-1]).to(torch.float32)
    size = like.shape[unlike[0]]
    found = functional.interpolate(flat, size=size, mode="linear", align_corners=True)
    return found.view(*lines.shape[:-1], size).movedim(-1, unlike[0])

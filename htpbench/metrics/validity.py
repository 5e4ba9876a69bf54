"""Which poses count: refusing what would become a wrong number, marking what is left out."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from htpbench.errors import BenchError


def counted(poses: Tensor, targets: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Both, with zeros where a pose does not count, once shapes and counted numbers are right."""
    if poses.shape != targets.shape or poses.ndim < 2:
        raise BenchError(
            f"poses of shape {tuple(poses.shape)} with targets of {tuple(targets.shape)}; "
            "expected the same (..., joints, coordinates): nothing is broadcast"
        )
    if valid is not None:
        if valid.dtype != torch.bool or valid.shape != poses.shape[:-2]:
            raise BenchError(
                f"valid is {valid.dtype} of shape {tuple(valid.shape)}; "
                f"expected torch.bool of {tuple(poses.shape[:-2])}, one for each pose"
            )
        poses, targets = (x.where(valid[..., None, None], 0.0) for x in (poses, targets))
    for name, x in (("poses", poses), ("targets", targets)):
        finite = x.isfinite().all(dim=-1).all(dim=-1)  # (...)
        if not finite.all():
            raise BenchError(
                f"{name}: {(~finite).sum().item()} of {finite.numel()} hold NaN or infinity; "
                "expected finite coordinates: mark what does not count in `valid`"
            )
    return poses, targets


def marked(errors: Tensor, valid: Tensor | None) -> Tensor:
    """Errors, NaN where they do not count."""
    return errors if valid is None else errors.where(valid, math.nan)

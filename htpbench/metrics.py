"""Accuracy metrics, per pose, so that callers decide over what to average.

Poses are (..., J, 3) in any unit; errors come out in the same unit.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mpjpe(poses: Tensor, targets: Tensor) -> Tensor:
    """(...): mean per-joint position error, the Euclidean distance averaged over joints."""
    return (poses - targets).norm(dim=-1).mean(dim=-1)


def p_mpjpe(poses: Tensor, targets: Tensor) -> Tensor:
    """(...): MPJPE after a similarity Procrustes alignment of each pose (scale, rotation, shift).

    Closed form of Umeyama (1991), Eq. 40-43, in float64; the result is float64.
    """
    poses, targets = poses.double(), targets.double()
    centre_p, centre_t = poses.mean(dim=-2, keepdim=True), targets.mean(dim=-2, keepdim=True)
    p, t = poses - centre_p, targets - centre_t  # (..., J, 3)
    u, s, vt = torch.linalg.svd(p.transpose(-2, -1) @ t)  # (..., 3, 3)
    reflected = torch.det(u @ vt) < 0
    sign = torch.ones_like(s)
    sign[..., -1] = torch.where(reflected, -1.0, 1.0)
    rotation = (u * sign[..., None, :]) @ vt
    variance = p.square().sum(dim=(-2, -1)).clamp(min=torch.finfo(p.dtype).tiny)
    scale = (s * sign).sum(dim=-1) / variance
    aligned = scale[..., None, None] * (p @ rotation) + centre_t
    return mpjpe(aligned, targets)

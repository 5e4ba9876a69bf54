"""Errors of single poses: MPJPE as it is, after scaling, after alignment, and of 2D input."""

from __future__ import annotations

import torch
from torch import Tensor

from htpbench.metrics.validity import counted, marked


def mpjpe(poses: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
    """(...): mean per-joint position error, the Euclidean distance averaged over joints.

    Ionescu et al., Human3.6M, PAMI 2014.
    """
    poses, targets = counted(poses, targets, valid)
    return marked((poses - targets).norm(dim=-1).mean(dim=-1), valid)


def n_mpjpe(poses: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
    """(...): MPJPE after each pose is scaled by s = <p, t> / <p, p>, its least-squares scale.

    Give root-relative poses: nothing is shifted, and s may be negative. A pose of zeros stays so.
    Rhodin et al., Unsupervised Geometry-Aware Representation for 3D Human Pose Estimation, 2018.
    """
    poses, targets = counted(poses, targets, valid)
    square = poses.square().sum(dim=(-2, -1)).clamp(min=torch.finfo(poses.dtype).tiny)
    scale = (poses * targets).sum(dim=(-2, -1)) / square
    return mpjpe(scale[..., None, None] * poses, targets, valid)


def p_mpjpe(poses: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
    """(...): MPJPE after a similarity Procrustes alignment of each pose (scale, rotation, shift).

    Closed form of Umeyama (1991), Eq. 40-43, in float64; the result is float64.
    """
    poses, targets = (x.double() for x in counted(poses, targets, valid))
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
    return mpjpe(aligned, targets, valid)


def frame_noise(
    detections: Tensor, truth: Tensor, kept: Tensor, valid: Tensor | None = None
) -> Tensor:
    """(..., r): mean 2D joint error of the kept frames, in the unit of the 2D poses.

    `detections` and `truth` are (..., F, J, 2), a third channel of confidence is ignored; `kept`
    (..., r) are frame numbers; `valid` is (..., F). H2OT, Table 2, which prints mm for a distance
    of 2D poses: give pixels to stand beside it.
    """
    return mpjpe(detections[..., :2], truth[..., :2], valid).take_along_dim(kept, dim=-1)

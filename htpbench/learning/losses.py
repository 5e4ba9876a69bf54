"""Training losses of the official codes, by the names that recipes use.

Poses and targets are (B, f, J, 3), metres, relative to the root, whose target is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from htpbench.network.constants import lasting

# Joints far from the trunk weigh more; order of htpbench.motion.skeleton.JOINTS.
JOINT_WEIGHTS = (1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4)
NORM_GAPS = (8, 12, 16, 24)  # frames between the two positions of a joint that span a plane


@cache
def joint_weights(device: torch.device, dtype: torch.dtype) -> Tensor:
    """(J,): JOINT_WEIGHTS on a device; copied there once, since a copy waits for it."""
    with lasting():
        return torch.tensor(JOINT_WEIGHTS, device=device, dtype=dtype)


def mpjpe(poses: Tensor, targets: Tensor) -> Tensor:
    """Mean distance of the joints (MHFormer, D3DP)."""
    return (poses - targets).norm(dim=-1).mean()


def weighted_mpjpe(poses: Tensor, targets: Tensor) -> Tensor:
    """Mean of the joint errors times their weights."""
    weights = joint_weights(poses.device, poses.dtype)  # (J,)
    return ((poses - targets).norm(dim=-1) * weights).mean()


def scale_normalised_mpjpe(poses: Tensor, targets: Tensor) -> Tensor:
    """MPJPE after each pose is scaled by <p, t> / <p, p>; the scale has a gradient too."""
    square = poses.square().sum(dim=(-2, -1), keepdim=True)  # (B, f, 1, 1)
    square = square.clamp(min=torch.finfo(poses.dtype).tiny)  # a pose of zeros stays so
    scale = (poses * targets).sum(dim=(-2, -1), keepdim=True) / square
    return mpjpe(scale * poses, targets)


def temporal_consistency(poses: Tensor) -> Tensor:
    """TCLoss: weighted mean square of the prediction's own frame differences."""
    weights = joint_weights(poses.device, poses.dtype)[:, None]  # (J, 1)
    return (weights * poses.diff(dim=1).square()).mean()


def velocity(poses: Tensor, targets: Tensor) -> Tensor:
    """MPJVE: mean norm of the difference of frame differences."""
    return (poses.diff(dim=1) - targets.diff(dim=1)).norm(dim=-1).mean()


def mixste_loss(poses: Tensor, targets: Tensor) -> Tensor:
    """Weighted MPJPE + 0.5 TCLoss + 2 MPJVE (MixSTE, HoT, H2OT and KTPFormer).

    One frame has no velocity.
    """
    loss = weighted_mpjpe(poses, targets)
    if poses.shape[1] > 1:
        loss = loss + 0.5 * temporal_consistency(poses) + 2.0 * velocity(poses, targets)
    return loss


def motionbert_loss(poses: Tensor, targets: Tensor) -> Tensor:
    """MPJPE + 0.5 scale-normalised MPJPE + 20 MPJVE (MotionBERT, MotionAGFormer).

    The official loss has limb and angle terms of weight 0. One frame has no velocity.
    """
    loss = mpjpe(poses, targets) + 0.5 * scale_normalised_mpjpe(poses, targets)
    if poses.shape[1] > 1:
        loss = loss + 20.0 * velocity(poses, targets)
    return loss


def norms(poses: Tensor, gap: int) -> Tensor:
    """(B, f - gap, J, 3), square metres: positions crossed with those `gap` frames later."""
    return torch.linalg.cross(poses[:, :-gap], poses[:, gap:])


def hdformer_loss(poses: Tensor, targets: Tensor) -> Tensor:
    """MPJPE + 100 times the mean distance of norms, over the gaps that fit (HDFormer).

    In the official millimetres the factor is 0.1: norms are of squares of the unit.
    """
    loss = mpjpe(poses, targets)
    gaps = [gap for gap in NORM_GAPS if gap < poses.shape[1]]
    for gap in gaps:
        loss = loss + 100 / len(gaps) * mpjpe(norms(poses, gap), norms(targets, gap))
    return loss


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mixste": mixste_loss,
    "mpjpe": mpjpe,
    "motionbert": motionbert_loss,
    "hdformer": hdformer_loss,
}

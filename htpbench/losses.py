"""MixSTE's training losses (official code; also HoT, H2OT and KTPFormer on MixSTE)."""

from __future__ import annotations

from torch import Tensor

# Joints far from the trunk weigh more; order of htpbench.motion.skeleton.JOINTS.
JOINT_WEIGHTS = (1, 1, 2.5, 2.5, 1, 2.5, 2.5, 1, 1, 1, 1.5, 1.5, 4, 4, 1.5, 4, 4)


def weighted_mpjpe(poses: Tensor, targets: Tensor) -> Tensor:
    """Mean of the joint errors times their weights; (B, f, J, 3) each."""
    return ((poses - targets).norm(dim=-1) * poses.new_tensor(JOINT_WEIGHTS)).mean()


def temporal_consistency(poses: Tensor) -> Tensor:
    """TCLoss: weighted mean square of the prediction's own frame differences."""
    weights = poses.new_tensor(JOINT_WEIGHTS)[:, None]  # (J, 1)
    return (weights * poses.diff(dim=1).square()).mean()


def velocity(poses: Tensor, targets: Tensor) -> Tensor:
    """MPJVE: mean norm of the difference of frame differences."""
    return (poses.diff(dim=1) - targets.diff(dim=1)).norm(dim=-1).mean()


def mixste_loss(poses: Tensor, targets: Tensor) -> Tensor:
    """Weighted MPJPE + 0.5 TCLoss + 2 MPJVE, metres; one frame has no velocity."""
    loss = weighted_mpjpe(poses, targets)
    if poses.shape[1] > 1:
        loss = loss + 0.5 * temporal_consistency(poses) + 2.0 * velocity(poses, targets)
    return loss

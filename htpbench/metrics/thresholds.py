"""Share of joints near the truth: PCK and AUC as MPI-INF-3DHP defines them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from htpbench.errors import BenchError
from htpbench.metrics.validity import counted, marked

# The joints that MPI-INF-3DHP scores, in the order of htpbench.motion.skeleton.JOINTS: crown
# (Head), neck (there the base of the neck: Thorax), shoulders, elbows, wrists, hips, knees, ankles.
# Not scored: the pelvis, which is the root and would always be right, the Spine, and the middle of
# the head (Neck/Nose).
PCK_JOINTS = (1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16)
PCK_THRESHOLD = 150.0  # mm
AUC_THRESHOLDS = tuple(range(0, 151, 5))  # mm, 31 of them


def pck(
    poses: Tensor,
    targets: Tensor,
    valid: Tensor | None = None,
    joints: Sequence[int] = PCK_JOINTS,
    threshold: float = PCK_THRESHOLD,
) -> Tensor:
    """(...): per cent of `joints` less than `threshold` mm from the truth, both root-relative.

    Poses are (..., 17, 3) in mm, in the order of htpbench.motion.skeleton.JOINTS. 3DPCK of
    Mehta et al., Monocular 3D Human Pose Estimation In The Wild (MPI-INF-3DHP), 3DV 2017.
    """
    near = _root_relative_distances(poses, targets, valid, joints) < threshold  # (..., joints)
    return marked(100.0 * near.to(poses.dtype).mean(dim=-1), valid)


def auc(
    poses: Tensor,
    targets: Tensor,
    valid: Tensor | None = None,
    joints: Sequence[int] = PCK_JOINTS,
) -> Tensor:
    """(...): mean of `pck`, per cent, over the thresholds 0, 5, ... 150 mm; same input and source.

    As in the MPI-INF-3DHP evaluation, nothing is less than 0 mm away: the truth has 96.77.
    """
    distances = _root_relative_distances(poses, targets, valid, joints)  # (..., joints)
    thresholds = torch.tensor(AUC_THRESHOLDS).to(distances)
    not_above = torch.bucketize(distances, thresholds, right=True)  # thresholds <= distance
    passed = 1.0 - not_above.to(distances) / len(AUC_THRESHOLDS)
    return marked(100.0 * passed.mean(dim=-1), valid)


def _root_relative_distances(
    poses: Tensor, targets: Tensor, valid: Tensor | None, joints: Sequence[int]
) -> Tensor:
    """(..., joints): distances after the pelvis (joint 0) of both is moved to the origin."""
    poses, targets = counted(poses, targets, valid)
    if poses.shape[-2] != 17:
        raise BenchError(
            f"poses of {poses.shape[-2]} joints; PCK and AUC expect the 17 of Human3.6M: "
            "map them to htpbench.motion.skeleton.JOINTS first"
        )
    offsets = poses - targets
    return (offsets - offsets[..., :1, :])[..., list(joints), :].norm(dim=-1)

"""Errors of motion: velocity and acceleration over frames that follow each other."""

from __future__ import annotations

import math

from torch import Tensor

from htpbench.errors import BenchError
from htpbench.metrics.validity import counted, marked


def mpjve(poses: Tensor, targets: Tensor, valid: Tensor | None = None) -> Tensor:
    """(..., f - 1): mean per-joint velocity error of (..., f, J, 3), in mm per frame for mm.

    The norm of the difference of first differences, averaged over joints. Per frame, not per
    second, is how the field prints it, so it depends on the frame rate. The f frames must follow
    each other evenly within one clip. Pavllo et al., VideoPose3D, CVPR 2019.
    """
    return _motion_error(poses, targets, valid, order=1)


def acceleration_error(
    poses: Tensor, targets: Tensor, rate: float, valid: Tensor | None = None
) -> Tensor:
    """(..., f - 2): error of the second differences of (..., f, J, 3), in mm/s^2 for mm.

    The f frames follow each other within one clip at `rate` frames per second. With a rate of
    1 it is mm per frame^2, which is what much public code computes.
    Kanazawa et al., Learning 3D Human Dynamics from Video (HMMR), CVPR 2019.
    """
    if not 0 < rate < math.inf:
        raise BenchError(
            f"the frame rate is {rate}; expected frames per second above 0, such as 50"
        )
    return _motion_error(poses, targets, valid, order=2) * rate**2


def _motion_error(poses: Tensor, targets: Tensor, valid: Tensor | None, order: int) -> Tensor:
    """(..., f - order): mean over joints of the error of the differences of that order."""
    poses, targets = counted(poses, targets, valid)
    if poses.ndim < 3 or poses.shape[-3] <= order:
        raise BenchError(
            f"poses of shape {tuple(poses.shape)}; expected (..., f, J, 3) "
            f"with at least {order + 1} frames that follow each other"
        )
    errors = (poses - targets).diff(n=order, dim=-3).norm(dim=-1).mean(dim=-1)
    whole = None if valid is None else valid.unfold(-1, order + 1, 1).all(dim=-1)
    return marked(errors, whole)

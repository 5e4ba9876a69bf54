"""Accuracy metrics, per pose (or per run of frames), so that callers decide over what to average.

Poses are (..., J, 3), targets have the same shape; errors come out in the unit of the poses unless
a metric says otherwise. Every joint given counts: Human3.6M's convention keeps the pelvis in the
mean, with an error of 0 once poses are root-relative.

`valid` (...) bool says which poses count; None is all. An output is NaN exactly where something
that does not count was in it, whatever those frames hold: `errors[valid].mean()`, or
`errors.nanmean()`. A coordinate that counts and is not finite is refused, because a comparison
with NaN would turn it into a plausible number.
"""

from __future__ import annotations

from htpbench.metrics.actions import mean_of_action_means
from htpbench.metrics.motion import acceleration_error, mpjve
from htpbench.metrics.pose import frame_noise, mpjpe, n_mpjpe, p_mpjpe
from htpbench.metrics.thresholds import PCK_JOINTS, auc, pck

__all__ = [
    "PCK_JOINTS",
    "acceleration_error",
    "auc",
    "frame_noise",
    "mean_of_action_means",
    "mpjpe",
    "mpjve",
    "n_mpjpe",
    "p_mpjpe",
    "pck",
]

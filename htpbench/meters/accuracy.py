"""Accuracy: errors of predicted poses, averaged over frames, with intervals over clips."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from htpbench import metrics
from htpbench.meters.evaluation import Evaluation
from htpbench.meters.prediction import Prediction
from htpbench.motion.clip import Clip
from htpbench.protocols import Measurement
from htpbench.statistics import mean_interval

VERSION = 2
MOTION = ("accuracy.mpjve", "accuracy.acceleration_error")  # need frames that follow each other
METRICS = (
    "accuracy.mpjpe",
    "accuracy.mpjpe_action_mean",
    "accuracy.p_mpjpe",
    "accuracy.n_mpjpe",
    "accuracy.pck",
    "accuracy.auc",
    *MOTION,
    "accuracy.mpjpe_by_clip",
    "accuracy.frames_by_clip",
)
UNITS = {"pck": "%", "auc": "%", "mpjve": "mm/frame", "acceleration_error": "mm/s^2"}


def measurable(evaluation: Evaluation, every_frame: bool = True) -> tuple[str, ...]:
    """METRICS, without those of motion where no three frames that follow each other are scored."""
    if every_frame and evaluation.following(evaluation.rows, 2).any():
        return METRICS
    return tuple(metric for metric in METRICS if metric not in MOTION)


def measure(prediction: Prediction, evaluation: Evaluation) -> list[Measurement]:
    """All of METRICS that the frames allow; mean and frames of each clip too, for pairing.

    Velocity and acceleration are taken over neighbours in one clip, window seams included.
    """
    rows, views = prediction.rows, evaluation.views
    clip = views.clip[evaluation.view_of(rows)]  # (n,)
    poses, targets = torch.from_numpy(prediction.poses), torch.from_numpy(views.poses3d[rows])
    errors = {
        name: (getattr(metrics, name)(poses, targets).numpy(), clip)
        for name in ("mpjpe", "p_mpjpe", "n_mpjpe", "pck", "auc")
    }
    if len(rows) > 2 and evaluation.following(rows, 2).any():
        velocity = metrics.mpjve(poses, targets).numpy()
        acceleration = metrics.acceleration_error(poses, targets, views.rate).numpy()
        for name, values, order in (
            ("mpjve", velocity, 1),
            ("acceleration_error", acceleration, 2),
        ):
            following = evaluation.following(rows, order)
            errors[name] = values[following], clip[order:][following]
    return [
        *(averaged(name, *pair) for name, pair in errors.items()),
        *by_groups(errors["mpjpe"][0], clip, views.clips),
    ]


def averaged(name: str, values: np.ndarray, clip: np.ndarray) -> Measurement:
    """The mean over frames (n,), with its interval over clips."""
    present, index = np.unique(clip, return_inverse=True)
    low, high = mean_interval(np.bincount(index, values), np.bincount(index))
    mean, unit = float(values.mean(dtype=np.float64)), UNITS.get(name, "mm")
    return Measurement(f"accuracy.{name}", mean, unit, low, high, len(present))


def by_groups(mpjpe: np.ndarray, clip: np.ndarray, clips: Sequence[Clip]) -> list[Measurement]:
    """The mean of action means; MPJPE and frames of each clip."""
    present, index = np.unique(clip, return_inverse=True)
    sums, counts = np.bincount(index, mpjpe), np.bincount(index)
    names = [clips[number].name for number in present]
    actions = np.array([clips[number].action for number in present])
    mean = metrics.mean_of_action_means(torch.from_numpy(mpjpe), actions[index].tolist())
    low, high = mean_interval(sums, counts, actions)
    return [
        Measurement("accuracy.mpjpe_action_mean", mean, "mm", low, high, len(present)),
        Measurement("accuracy.mpjpe_by_clip", (sums / counts).tolist(), "mm", axis=names),
        Measurement("accuracy.frames_by_clip", counts.astype(float).tolist(), "1", axis=names),
    ]

"""Accuracy: errors of predicted poses, averaged over frames, with intervals over subjects.

Each metric is told by clip too, with what its means are averaged over, so that two networks that
were scored on the same clips can be compared clip by clip.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from htpbench import metrics
from htpbench.errors import Faulty
from htpbench.measuring.evaluation import Evaluation
from htpbench.measuring.prediction import Prediction
from htpbench.motion.clip import Take
from htpbench.records.intervals import estimate
from htpbench.records.measurement import Measurement
from htpbench.systems.registry import METRICS

OF_POSES = ("mpjpe", "p_mpjpe", "n_mpjpe", "pck", "auc")


def measure(prediction: Prediction, evaluation: Evaluation) -> list[Measurement]:
    """All metrics of the meter accuracy that the frames allow, and that there are hypotheses for.

    Velocity and acceleration are taken over neighbours in one clip, window seams included. What is
    not valid is left out.
    """
    views, valid = evaluation.views, evaluation.views.valid[prediction.rows]
    if not valid.any():
        raise Faulty("no frame of the windows that were scored is valid; score more `windows`")
    rows, said = prediction.rows[valid], prediction.poses[valid]
    poses, targets = torch.from_numpy(said), torch.from_numpy(views.truth[rows])
    found = {name: of(poses, targets) for name, of in functions().items()}
    for rule, errors in prediction.ruled.items():
        found[f"mpjpe_{rule.replace('-', '_')}"] = errors[valid]
    each = rows
    if evaluation.protocol.counts == "errors":
        each, found = meant(rows, found)
    clip = views.clip[views.view_of(each)]  # (n,)
    errors = {name: (values, clip) for name, values in found.items()}
    present, frames = np.unique(clip, return_counts=True)
    counted = {"frames": clip}
    if len(rows) > 2 and evaluation.following(rows, 2).any():
        pairs, triples = (evaluation.following(rows, order) for order in (1, 2))
        velocity = metrics.mpjve(poses, targets).numpy()  # (n - 1,)
        rates = (views.rates[views.view_of(rows[2:])] ** 2).astype(np.float32)  # (n - 2,)
        acceleration = metrics.acceleration_error(poses, targets, 1.0).numpy() * rates
        of = views.clip[views.view_of(rows)]
        errors["mpjve"] = velocity[pairs], of[1:][pairs]
        errors["acceleration_error"] = acceleration[triples], of[2:][triples]
        counted |= {"velocities": of[1:][pairs], "accelerations": of[2:][triples]}
    return [
        *(
            one
            for name, pair in errors.items()
            for one in averaged(f"accuracy.{name}", *pair, views.clips)
        ),
        *over_actions(errors["mpjpe"][0], clip, views.clips),
        *labels("accuracy", "person", [views.clips[c] for c in present], frames),
        *(count(f"accuracy.{name}_by_clip", clip, views.clips) for name, clip in counted.items()),
    ]


def meant(
    rows: np.ndarray, errors: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Rows (m,), each once, and of each the mean of its errors (n,)."""
    once, index, counts = np.unique(rows, return_inverse=True, return_counts=True)
    if len(once) == len(rows):
        order = np.argsort(rows)
        return once, {name: values[order] for name, values in errors.items()}
    means = {name: np.bincount(index, values) / counts for name, values in errors.items()}
    return once, means


def functions() -> dict[str, Callable[[Tensor, Tensor], np.ndarray]]:
    """Name -> errors (n,) of poses and targets (n, J, 3), ours and those of METRICS."""
    ours = {name: partial(_array, getattr(metrics, name)) for name in OF_POSES}
    others = {name: METRICS.load(name)() for name in METRICS.names()}
    return ours | {name: partial(_checked, name, one.errors) for name, one in others.items()}


def _array(error: Callable[[Tensor, Tensor], Tensor], poses: Tensor, targets: Tensor) -> np.ndarray:
    return error(poses, targets).numpy()


def _checked(
    name: str, error: Callable[[Tensor, Tensor], Any], poses: Tensor, targets: Tensor
) -> np.ndarray:
    """What a metric of another says, once it is a finite number for each pose."""
    found = torch.as_tensor(error(poses.clone(), targets.clone()))
    if found.shape != (len(poses),):
        shape = tuple(found.shape)
        raise Faulty(f"the metric {name} returned {shape}; expected ({len(poses)},)")
    if wrong := int((~found.isfinite()).sum()):
        raise Faulty(f"the metric {name} is not finite for {wrong} of {len(poses)} poses")
    return found.double().numpy()


def averaged(
    name: str, values: np.ndarray, clip: np.ndarray, clips: Sequence[Take]
) -> list[Measurement]:
    """The mean of values (n,) of clips (n,) with its interval over subjects, and each clip's.

    name: of the metric, METER.SOMETHING.
    """
    present, index, counts = np.unique(clip, return_inverse=True, return_counts=True)
    sums = np.bincount(index, values)
    found = estimate(sums, counts, np.array([clips[number].person for number in present]))
    axis = [clips[number].name for number in present]
    mean = float(values.mean(dtype=np.float64))
    return [
        Measurement(name, mean, *found.interval(), found.subjects),
        Measurement(f"{name}_by_clip", (sums / counts).tolist(), axis=axis),
    ]


def over_actions(mpjpe: np.ndarray, clip: np.ndarray, clips: Sequence[Take]) -> list[Measurement]:
    """The mean of action means; each clip's action and, by its number, the frames of each."""
    present, index, counts = np.unique(clip, return_inverse=True, return_counts=True)
    actions = np.array([clips[number].action for number in present])
    mean = metrics.mean_of_action_means(torch.from_numpy(mpjpe), actions[index].tolist())
    subjects = np.array([clips[number].person for number in present])
    found = estimate(np.bincount(index, mpjpe), counts, subjects, actions)
    return [
        Measurement("accuracy.mpjpe_action_mean", mean, *found.interval(), found.subjects),
        *labels("accuracy", "action", [clips[number] for number in present], counts),
    ]


def labels(
    meter: str, kind: Literal["action", "person"], clips: Sequence[Take], counts: np.ndarray
) -> list[Measurement]:
    """What clips are of: the frames of each action or subject, and which of those a clip is of."""
    names, index = np.unique([getattr(clip, kind) for clip in clips], return_inverse=True)
    word = {"action": "action", "person": "subject"}[kind]
    axis = [clip.name for clip in clips]
    frames = np.bincount(index, counts).tolist()
    return [
        Measurement(f"{meter}.{word}s_by_clip", index.tolist(), axis=axis),
        Measurement(f"{meter}.frames_by_{word}", frames, axis=names.tolist()),
    ]


def count(name: str, clip: np.ndarray, clips: Sequence[Take]) -> Measurement:
    """How many of something, which lie in clips (n,), each clip has."""
    present, counts = np.unique(clip, return_counts=True)
    axis = [clips[number].name for number in present]
    return Measurement(name, counts.astype(float).tolist(), axis=axis)

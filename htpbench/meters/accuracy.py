"""Accuracy: MPJPE and P-MPJPE in millimetres on windows of real or embedded motion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from htpbench import metrics
from htpbench.lifter import Lifter
from htpbench.motion.clip import Motion
from htpbench.motion.skeleton import MIRROR
from htpbench.motion.views import Views, make_views
from htpbench.motion.windows import Windows, cut
from htpbench.protocols import Lifted, Measurement
from htpbench.statistics import mean_interval

VERSION = 1
METRICS = (
    "accuracy.mpjpe",
    "accuracy.p_mpjpe",
    "accuracy.mpjpe_by_clip",
    "accuracy.frames_by_clip",
)
BATCH = 16  # windows a forward pass; does not change any number


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Windows to score and the card that says how; views of the test split in camera axes, mm."""

    views: Views
    windows: Windows
    mean_pose: np.ndarray  # (J, 3) mm, root-relative: training views, or test if there are none
    card: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors of n scored frames in mm, and the clip that each belongs to."""

    mpjpe: np.ndarray  # (n,)
    p_mpjpe: np.ndarray  # (n,)
    clip: np.ndarray  # (n,)


def prepare(
    motion: Motion,
    frames: int,
    pipeline: str,
    detections: str = "cpn",
    cameras: str = "rotate",
    limit: int | None = None,
    stride: int | None = None,
    seed: int = 0,
) -> Evaluation:
    """Cut the test split into windows; `limit` keeps that many, evenly spaced."""
    views = make_views(motion.split("test"), detections, cameras, seed)
    windows = cut(views, frames, pipeline, stride)
    thinned = windows if limit is None else windows.thin(limit)
    seen = "train" if any(clip.split == "train" for clip in motion.clips) else "test"
    train = make_views(motion.split(seen), "gt", "rotate", seed)
    card = {
        "data": motion.name,
        "fingerprint": motion.fingerprint,
        "split": "test",
        "detections": detections,
        "cameras": cameras,
        "motion_seed": seed,
        "pipeline": pipeline,
        "stride": stride or (frames if pipeline == "seq2seq" else 1),
        "windows": f"{len(thinned.index)} of {len(windows.index)}",
        "padding": "edge",
        "missing_joints": "hold",
        "joints": 17,
        "root": "pelvis, set to 0",
        "mean_over": "frames",
    }
    card |= {} if seen == "train" else {"mean_pose": "of the test views: there are no others"}
    return Evaluation(views, thinned, train.poses3d.mean(axis=0), card)


def flip(poses: Tensor) -> Tensor:
    """Mirror (..., J, 2 or more): x changes sign, left and right joints swap."""
    mirrored = poses[..., torch.tensor(MIRROR, device=poses.device), :]  # a copy
    mirrored[..., 0] *= -1
    return mirrored


def lift(lifter: Lifter, poses2d: Tensor, augment: bool) -> tuple[Tensor, Tensor]:
    """Poses (B, f, J, 3) in mm, root 0, and their frame numbers (B, f).

    With `augment` the mean of the clip and its mirror image; where poses come out at kept frames
    only, the mirrored pass replays the selection of the first, as the official TPC test does.
    """
    lifted: Lifted = lifter(poses2d)
    if not all((kept.diff(dim=1) > 0).all() for kept in lifted.kept):
        raise ValueError(f"{type(lifter.pruner).__name__} returned frames unsorted or twice")
    if lifter.centred and not (lifted.frames == lifter.centre).any(dim=1).all():
        raise ValueError(f"{type(lifter.pruner).__name__} lost the centre frame (view.keep)")
    poses = lifted.poses
    if augment:
        selection = lifted.kept if lifter.centred else None
        poses = (poses + flip(lifter(flip(poses2d), selection=selection).poses)) / 2
    poses = (poses - poses[..., :1, :]) * 1000.0  # metres to mm, root to 0
    return poses, lifted.frames


@torch.inference_mode()
def evaluate(
    lifter: Lifter,
    evaluation: Evaluation,
    augment: bool = True,
    device: str = "cpu",
    tick: Callable[[int, int], None] = lambda done, total: None,
) -> Errors:
    """Score every frame that the windows mark, once."""
    lifter = lifter.eval().to(device)
    windows, views = evaluation.windows, evaluation.views
    found: list[tuple[np.ndarray, ...]] = []
    for first in range(0, len(windows.index), BATCH):
        rows = windows.index[first : first + BATCH]  # (B, F)
        scored = torch.from_numpy(windows.scored[first : first + BATCH])
        poses2d = torch.from_numpy(views.poses2d[rows][..., : lifter.backbone.channels]).to(device)
        targets = torch.from_numpy(views.poses3d[rows])  # (B, F, J, 3)
        poses, frames = (x.cpu() for x in lift(lifter, poses2d, augment))
        targets = targets.gather(1, frames[:, :, None, None].expand(-1, -1, *targets.shape[2:]))
        scored = scored.gather(1, frames)  # (B, f)
        clips = views.clip[windows.view[first : first + BATCH]][:, None].repeat(scored.shape[1], 1)
        pair = poses[scored], targets[scored]  # (n, J, 3) each
        found.append(
            (metrics.mpjpe(*pair).numpy(), metrics.p_mpjpe(*pair).numpy(), clips[scored.numpy()])
        )
        tick(min(first + BATCH, len(windows.index)), len(windows.index))
    return Errors(*(np.concatenate(parts) for parts in zip(*found, strict=True)))


def trivial(evaluation: Evaluation) -> Errors:
    """The control that sees nothing: always the mean pose."""
    rows = evaluation.windows.index[evaluation.windows.scored]  # (n,)
    targets = torch.from_numpy(evaluation.views.poses3d[rows])
    poses = torch.from_numpy(evaluation.mean_pose).expand_as(targets)
    view = np.repeat(evaluation.windows.view, evaluation.windows.scored.sum(axis=1))
    pair = metrics.mpjpe(poses, targets).numpy(), metrics.p_mpjpe(poses, targets).numpy()
    return Errors(*pair, evaluation.views.clip[view])


def summarise(errors: Errors, clips: tuple[str, ...]) -> list[Measurement]:
    """Means over frames with intervals over clips; mean and frames of each clip, for pairing."""
    present = np.unique(errors.clip)
    counts = np.bincount(errors.clip)[present]
    measurements = []
    for name in ("mpjpe", "p_mpjpe"):
        values = getattr(errors, name)
        sums = np.bincount(errors.clip, values)[present]
        low, high = mean_interval(sums, counts)
        mean = float(values.mean())
        measurements.append(Measurement(f"accuracy.{name}", mean, "mm", low, high, len(present)))
    axis = [clips[clip] for clip in present]
    by_clip = (np.bincount(errors.clip, errors.mpjpe)[present] / counts).tolist()
    frames = counts.astype(float).tolist()
    return [
        *measurements,
        Measurement("accuracy.mpjpe_by_clip", by_clip, "mm", axis=axis),
        Measurement("accuracy.frames_by_clip", frames, "1", axis=axis),
    ]

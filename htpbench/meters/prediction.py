"""What a lifter says of a motion: one pose for each frame that the windows score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from htpbench.lifter import Lifter
from htpbench.motion.skeleton import MIRROR
from htpbench.motion.views import Views
from htpbench.motion.windows import Windows
from htpbench.protocols import Lifted

BATCH = 16  # windows a forward pass; does not change any number


@dataclass(frozen=True, eq=False)
class Prediction:
    """Poses (n, J, 3) float32, mm, root 0, of the rows (n,) of Views: ascending, each once."""

    rows: np.ndarray
    poses: np.ndarray


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
def predict(
    lifter: Lifter,
    views: Views,
    windows: Windows,
    augment: bool = True,
    device: str = "cpu",
    watch: Callable[[np.ndarray, np.ndarray], None] = lambda rows, poses: None,
) -> Prediction:
    """Poses of the frames that the windows score, as far as the lifter returns them.

    `watch` gets the rows and poses of each batch and may raise.
    """
    lifter = lifter.eval().to(device)
    rows, poses = [], []
    for first in range(0, len(windows.index), BATCH):
        index = windows.index[first : first + BATCH]  # (B, F)
        poses2d = views.poses2d.take(index, axis=0)[..., : lifter.backbone.channels]
        lifted, frames = (
            x.cpu().numpy() for x in lift(lifter, torch.from_numpy(poses2d).to(device), augment)
        )
        scored = np.take_along_axis(windows.scored[first : first + BATCH], frames, 1)  # (B, f)
        rows.append(np.take_along_axis(index, frames, 1)[scored])
        poses.append(lifted[scored])
        watch(rows[-1], poses[-1])
    found, where = np.unique(np.concatenate(rows), return_index=True)
    return Prediction(found, np.concatenate(poses)[where])

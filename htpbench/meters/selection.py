"""Selection: how often each frame of a window survives all pruning."""

from __future__ import annotations

import numpy as np
import torch

from htpbench.lifter import Lifter
from htpbench.meters.accuracy import BATCH, Evaluation
from htpbench.protocols import Measurement

VERSION = 1
METRICS = ("selection.frequency",)


@torch.inference_mode()
def measure(lifter: Lifter, evaluation: Evaluation, device: str = "cpu") -> list[Measurement]:
    """Kept frames counted over the windows (they sum to windows x r); nothing when unpruned."""
    if not lifter.schedule:
        return []
    lifter = lifter.eval().to(device)
    counts = np.zeros(lifter.frames, dtype=np.int64)
    index, channels = evaluation.windows.index, lifter.backbone.channels
    for first in range(0, len(index), BATCH):
        poses2d = evaluation.views.poses2d[index[first : first + BATCH]][..., :channels]
        kept = lifter(torch.from_numpy(poses2d).to(device)).kept[-1]  # (B, r)
        counts += np.bincount(kept.flatten().cpu().numpy(), minlength=lifter.frames)
    axis = [str(frame) for frame in range(lifter.frames)]
    value = counts.astype(float).tolist()
    return [Measurement("selection.frequency", value, "1", samples=len(index), axis=axis)]

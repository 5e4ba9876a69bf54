"""Tracks: the poses of one person in one view, and how they came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Kept:
    """Which frames the stages of a pruner kept of each of W windows of F frames.

    Window w shows the frames first[w] + 0 ... F - 1, counted from the first of the track at `rate`
    Hz, which is the network's and may not be the track's; outside the track its edges repeat.
    `stages` (S, W, F) bool.
    """

    first: np.ndarray
    stages: np.ndarray
    rate: float

    def nearest(self, seconds: np.ndarray) -> np.ndarray:
        """(n,) the window whose middle is nearest to each time (n,) s, the earlier of two."""
        middle = (self.first + (self.stages.shape[2] - 1) / 2) / self.rate  # (W,) s, ascending
        after = np.clip(np.searchsorted(middle, seconds), 1, max(len(middle) - 1, 1))
        after = np.minimum(after, len(middle) - 1)
        before = np.maximum(after - 1, 0)
        closer = np.abs(seconds - middle[before]) <= np.abs(middle[after] - seconds)
        return np.where(closer, before, after)


@dataclass(frozen=True, eq=False)
class Track:
    """Poses of one person in one view, one a frame, and what made them.

    `name`: of the video or the clip. `rate`: frames a second. `first`: number of the first frame.
    `poses` (N, 17, 3) float32: mm, camera axes (x right, y down, z forward), relative to joint 0.
    `truth` (N, 17, 3): the same as it was measured, where it is known. `keypoints` (N, 17, 3): px
    and confidence of what was lifted; `size`: width and height of the images, px. `kept`: None
    where nothing was pruned. `told`: what else is known (combination, weights, data, ...), as JSON.
    """

    name: str
    rate: float
    poses: np.ndarray
    first: int = 0
    camera: int = 0
    truth: np.ndarray | None = None
    keypoints: np.ndarray | None = None
    size: tuple[int, int] | None = None
    kept: Kept | None = None
    told: dict[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> np.ndarray | None:
        """(N,) mm: MPJPE of each frame; None without truth."""
        if self.truth is None:
            return None
        return np.linalg.norm(self.poses - self.truth, axis=-1).mean(axis=-1)

"""Videos: takes of which keypoints are known, and no 3D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htpbench.motion.clip import Take


@dataclass(frozen=True, eq=False)
class Video(Take):
    """A take as a detector saw it, one pose a frame, none left out.

    `keypoints` (N, 17, 3) float32: px and confidence (0 where it was filled in). `size`: width and
    height of the images, px. `rate`: frames a second. `first`: the number of the first frame.
    """

    keypoints: np.ndarray
    size: tuple[int, int]
    rate: float
    first: int = 0

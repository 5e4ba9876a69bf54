"""The 17 joints of Human3.6M: names, tree, sides."""

from __future__ import annotations

from typing import Any

import numpy as np

JOINTS = (
    "Hip",
    "RHip",
    "RKnee",
    "RAnkle",
    "LHip",
    "LKnee",
    "LAnkle",
    "Spine",
    "Thorax",
    "Neck",
    "Head",
    "LShoulder",
    "LElbow",
    "LWrist",
    "RShoulder",
    "RElbow",
    "RWrist",
)
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
ROOT = 0
LEFT = (4, 5, 6, 11, 12, 13)
RIGHT = (1, 2, 3, 14, 15, 16)

MIRROR = np.arange(len(JOINTS))  # joint of the mirrored body: poses[..., MIRROR, :]
MIRROR[[*LEFT, *RIGHT]] = [*RIGHT, *LEFT]
MIRROR.flags.writeable = False


def flip(poses: Any) -> Any:
    """Mirror an array or tensor (..., J, 2 or more): x changes sign, left and right swap."""
    mirrored = poses[..., MIRROR.tolist(), :]  # a copy
    mirrored[..., 0] *= -1
    return mirrored

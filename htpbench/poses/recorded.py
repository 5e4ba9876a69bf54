"""What data knows of a view before anything is lifted: its 2D, and its 3D where there is any."""

from __future__ import annotations

import numpy as np

from htpbench.motion.cameras import pixels
from htpbench.motion.video import Video
from htpbench.motion.views import Views
from htpbench.poses.track import Track

NOMINAL = (1000, 1000)  # px: of images whose size is not known


def recorded(views: Views, view: int) -> Track:
    """A view as it was recorded, a video at its own rate; without 3D its poses are (N, 0, 3)."""
    rows, take = slice(views.start[view], views.stop[view]), views.clips[views.clip[view]]
    name, camera = take.name, int(views.camera[view])
    if isinstance(take, Video):
        seen = {"keypoints": take.keypoints, "size": take.size, "first": take.first}
        return Track(name, take.rate, nothing(len(take.keypoints)), camera=camera, **seen)
    size = None if views.cameras is None else views.lens(view).size
    keypoints = views.poses2d[rows].astype(np.float32)
    keypoints[..., :2] = pixels(keypoints[..., :2], size or NOMINAL)
    poses = nothing(len(keypoints)) if views.poses3d is None else views.poses3d[rows]
    rate = float(views.rates[view])
    return Track(name, rate, poses, camera=camera, keypoints=keypoints, size=size)


def nothing(frames: int) -> np.ndarray:
    """Poses of no joints."""
    return np.empty((frames, 0, 3), np.float32)

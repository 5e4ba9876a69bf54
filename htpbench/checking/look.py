"""A look at a shot: some of its frames, spread over the clip, that hold numbers in 2D and 3D."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from htpbench.motion.filmed import Shot
from htpbench.motion.skeleton import JOINTS

MOST = 200  # frames that medians are taken over


@dataclass(frozen=True, eq=False)
class Look:
    """Frames (n,) of a shot, their 3D (n, 17, 3) and all of its 2D (M, 17, 2).

    points: mm, in the world (z up) where the camera is known, else in camera axes. flat: px.
    """

    shot: Shot
    frames: np.ndarray
    points: np.ndarray
    flat: np.ndarray

    @property
    def wide(self) -> float:
        """The width of its images over 1000 px, for which errors in px are told."""
        return self.shot.size[0] / 1000

    @property
    def seen(self) -> np.ndarray:
        """(n, 17, 2) px: the 2D of its frames."""
        return self.flat[self.frames]

    @property
    def up(self) -> np.ndarray:
        """(3,) the axis of `points` that is up."""
        return np.array([0.0, -1.0, 0.0] if self.shot.camera is None else [0.0, 0.0, 1.0])

    def moved(self, points: np.ndarray) -> Look:
        """The same with other 3D."""
        return replace(self, points=points)

    def shown(self, flat: np.ndarray) -> Look:
        """The same with other 2D."""
        return replace(self, flat=flat)

    def exact(self, points: np.ndarray, chosen: np.ndarray) -> np.ndarray | None:
        """(m, 17, 2) px: where the chosen frames of 3D (n, 17, 3) are; None: nothing tells."""
        if self.shot.camera is not None:
            return self.shot.camera.project(self.shot.camera.view(points[chosen]))
        if self.shot.image is not None:
            return np.asarray(self.shot.image[self.frames[chosen], :, :2], np.float64)
        return None


def usable(shot: Shot) -> bool:
    """Whether the 2D has the 17 joints, so that it can be looked at."""
    return shot.poses2d.ndim == 3 and shot.poses2d.shape[1] == len(JOINTS)


def looked(shot: Shot, most: int = MOST) -> Look | None:
    """Up to `most` frames of a shot; None where no frame has all its numbers."""
    count = min(len(shot.poses3d), len(shot.poses2d))
    whole = np.isfinite(shot.poses3d[:count]).all(axis=(1, 2))  # (count,)
    whole &= np.isfinite(shot.poses2d[:count, :, :2]).all(axis=(1, 2))
    if shot.valid is not None:
        whole &= shot.valid[:count]
    frames = spread(np.flatnonzero(whole), most)
    if not len(frames):
        return None
    return Look(shot, frames, placed(shot, frames), np.asarray(shot.poses2d[..., :2], np.float64))


def placed(shot: Shot, frames: np.ndarray) -> np.ndarray:
    """(n, 17, 3) the 3D of some frames of a shot as a look has it."""
    points = np.asarray(shot.poses3d[frames], np.float64)
    if shot.camera is not None:
        points = points @ shot.camera.rotation.T + np.array(shot.camera.translation_mm)
    return points


def spread(frames: np.ndarray, most: int) -> np.ndarray:
    """At most so many of some frames, as far apart as can be."""
    if len(frames) <= most:
        return frames
    return frames[np.linspace(0, len(frames) - 1, most).astype(int)]


def median(values: np.ndarray) -> float:
    """The median of the numbers among values; infinity where there are none."""
    held = values[np.isfinite(values)]
    return float(np.median(held)) if held.size else np.inf

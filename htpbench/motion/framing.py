"""Framing: how keypoints of any camera are shown to a network that was trained on others.

A lifter knows people of one size in the image, seen by upright cameras that face them. Screen units
go by the width, so that a person who fills a portrait video looks like a giant to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.motion.skeleton import ROOT

FRAMINGS = ("width", "person", "facing")
# Screen units: medians of `height` over the rig's views of training clips are 0.65 and 0.66.
HEIGHT = 0.66
UPRIGHT = (0.0, 1.0, 0.0)  # downward, camera axes
CHAINS = (((0, 7), (7, 8), (8, 9), (9, 10)), ((1, 2), (2, 3)), ((4, 5), (5, 6)))


@dataclass(frozen=True, eq=False)
class Framing:
    """A camera at the same place that is turned and zoomed.

    `turn` (3, 3): its axes in those of the camera, as columns. `scale`: by which screen units grow.
    `half`: half of the image's width over the focal length.
    """

    scale: float = 1.0
    turn: np.ndarray | None = None
    half: float = 1.0

    def shown(self, poses2d: np.ndarray) -> np.ndarray:
        """(N, 17, 3) screen units and confidence, as this camera sees them."""
        points = poses2d[..., :2].astype(np.float64)
        if self.turn is not None:
            points = turned(points, self.turn, self.half)
        return np.concatenate([points * self.scale, poses2d[..., 2:]], axis=-1).astype(np.float32)

    def back(self, poses: np.ndarray) -> np.ndarray:
        """(N, 17, 3) from this camera's axes to the axes of the camera that filmed."""
        return poses if self.turn is None else (poses @ self.turn.T).astype(np.float32)


def framing(
    poses2d: np.ndarray,
    kind: str,
    half: float = 1.0,
    down: tuple[float, float, float] = UPRIGHT,
) -> Framing:
    """What shows a view (N, 17, 3) to a lifter by one of FRAMINGS.

    `width`: as it is. `person`: padded or cropped about the middle of the image until the person is
    as tall as in training. `facing`: turned before to face the person without roll, which needs
    `half` and which way is `down` in camera axes (x right, y down, z forward).
    """
    if kind not in FRAMINGS:
        raise unknown("framing", kind, FRAMINGS)
    if kind == "width":
        return Framing()
    if kind == "person":
        return Framing(HEIGHT / height(poses2d[..., :2]))
    hip = np.median(poses2d[:, ROOT, :2].astype(np.float64), axis=0)
    turn = facing(np.array([*hip * half, 1.0]), np.array(down, dtype=np.float64))
    seen = turned(poses2d[..., :2].astype(np.float64), turn, half)
    return Framing(HEIGHT / height(seen), turn, half)


def facing(forward: np.ndarray, down: np.ndarray) -> np.ndarray:
    """(3, 3) axes, as columns, of a camera that looks along `forward` (3,) and is not rolled."""
    right = np.cross(down, forward)
    length = np.linalg.norm(right)
    if not length > 1e-3 * np.linalg.norm(down) * np.linalg.norm(forward):
        raise BenchError(
            "the camera looks straight down or up at the person, so no turn makes it upright; "
            "check --gravity (x right, y down, z forward), or choose another --framing"
        )
    right, forward = right / length, forward / np.linalg.norm(forward)
    return np.stack([right, np.cross(forward, right), forward], axis=1)


def turned(points: np.ndarray, turn: np.ndarray, half: float) -> np.ndarray:
    """Screen units (..., 2) as a camera with the axes `turn` at the same place sees them."""
    rays = np.concatenate([points * half, np.ones_like(points[..., :1])], axis=-1) @ turn
    depth = np.maximum(rays[..., 2:], 0.1)  # what is beside the camera stays finite
    return rays[..., :2] / depth / half


def height(points: np.ndarray) -> float:
    """How tall a person is in the image, from ankles to head along the bones: a median.

    `points` (N, 17, 2). Bending and sitting shorten it less than the height of a box.
    """
    trunk, *legs = (
        sum(np.linalg.norm(points[:, a] - points[:, b], axis=-1) for a, b in chain)
        for chain in CHAINS
    )
    tall = float(np.median(trunk + np.mean(legs, axis=0)))
    if not tall > 0:
        raise BenchError("all keypoints are one point, so that nobody has a size in the image")
    return tall

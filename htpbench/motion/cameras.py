"""Four cameras of Human3.6M-like geometry: world to camera frame to distorted pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from htpbench.outside import files
from htpbench.systems.shipped import data_folder


def screen(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels (..., 2) of images of a width and height in VideoPose3D's screen units."""
    width, height = size
    return 2 * points / width - np.array([1.0, height / width])


def pixels(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Screen units (..., 2) in pixels of images of a width and height."""
    width, height = size
    return (points + np.array([1.0, height / width])) * width / 2


@dataclass(frozen=True, eq=False)
class Camera:
    """A lens with radial and tangential distortion.

    `orientation` (w, x, y, z) turns camera axes (x right, y down, z forward) into world axes;
    `translation_mm` is where the camera stands; the rest is in pixels or has no unit.
    """

    orientation: Sequence[float]
    translation_mm: Sequence[float]
    focal: Sequence[float]
    center: Sequence[float]
    radial: Sequence[float]
    tangential: Sequence[float]
    width: int
    height: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        return self.width, self.height

    @cached_property
    def rotation(self) -> np.ndarray:
        """(3, 3): camera to world."""
        w, x, y, z = np.array(self.orientation) / np.linalg.norm(self.orientation)
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )

    def view(self, world: np.ndarray) -> np.ndarray:
        """World mm (..., 3) to camera-frame mm (..., 3)."""
        return (world - np.array(self.translation_mm)) @ self.rotation

    def project(self, camera_frame: np.ndarray) -> np.ndarray:
        """Camera-frame mm (..., 3) to pixels (..., 2).

        The distortion is meant for the image only, so xy/z stays within +-1; what is behind the
        camera is put 1 mm before it.
        """
        depth = np.maximum(camera_frame[..., 2:], 1.0)
        q = np.clip(camera_frame[..., :2] / depth, -1, 1)
        r2 = np.sum(q * q, axis=-1, keepdims=True)
        k1, k2, k3 = self.radial
        p = np.array(self.tangential)
        stretch = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + (q @ p)[..., None]
        return np.array(self.focal) * (q * stretch + p * r2) + np.array(self.center)

    def normalise(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) to VideoPose3D's screen units: both axes by half the width."""
        return screen(pixels, self.size)


@cache
def rig() -> tuple[Camera, ...]:
    """The four cameras of baselines/motion/camera_rig.toml."""
    path = data_folder() / "baselines" / "motion" / "camera_rig.toml"
    cameras = files.load_toml(path)["camera"]
    return tuple(Camera(**camera) for camera in cameras)

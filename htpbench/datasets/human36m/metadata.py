"""Cameras out of `metadata.xml`, which Human3.6M hands out beside its videos.

All of them stand in one element, `w0`: 300 numbers. Nothing else of the file is looked at and no
XML is parsed, so there is nothing in it that could be expanded.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from htpbench.datasets.human36m.facts import LENSES, SPLIT_OF, Cameras, cameras
from htpbench.errors import BenchError
from htpbench.motion.cameras import Camera
from htpbench.outside import files

FILE = "metadata.xml"
MOST_BYTES = 2**24
W0 = re.compile(r"<w0>([^<]{1,65536})</w0>")
SUBJECTS, PLACED, LENS = 11, 6, 9  # numbers: of subjects, for where a camera stands, for a lens
NUMBERS = len(LENSES) * (SUBJECTS * PLACED + LENS)
ADVICE = "take it from the data set anew, or leave it out: the same cameras are shipped"


def read(path: Path) -> Cameras:
    """The cameras of a `metadata.xml`; BenchError names what is wrong with it."""
    numbers = of_text(files.text(path, MOST_BYTES), path)
    lenses = numbers[-len(LENSES) * LENS :].reshape(len(LENSES), LENS)
    placed = numbers[: -lenses.size].reshape(len(LENSES), SUBJECTS, PLACED)
    if (lenses[:, :2] <= 0).any() or np.abs(lenses).max() > 1e5 or np.abs(placed).max() > 1e6:
        raise BenchError(f"{path}: its w0 holds what no camera has; {ADVICE}")
    return {
        subject: tuple(
            camera(lens, placed[number, int(subject[1:]) - 1], known)
            for number, (lens, known) in enumerate(zip(lenses, cameras()[subject], strict=True))
        )
        for subject in SPLIT_OF
    }


def of_text(text: str, path: Path) -> np.ndarray:
    """(300,) the numbers of w0."""
    found = W0.findall(text)
    if len(found) != 1:
        raise BenchError(f"{path}: it has {len(found)} elements w0; expected one; {ADVICE}")
    words = re.split(r"[\s,;]+", found[0].strip(" []\t\r\n"))
    try:
        numbers = np.array([float(word) for word in words])
    except ValueError as error:
        raise BenchError(f"{path}: its w0 is not numbers ({error!s:.80}); {ADVICE}") from error
    if len(numbers) != NUMBERS or not np.isfinite(numbers).all():
        raise BenchError(
            f"{path}: its w0 has {len(numbers)} numbers, {np.isfinite(numbers).sum()} of them "
            f"finite; expected {NUMBERS}, of {SUBJECTS} subjects and {len(LENSES)} cameras; "
            f"{ADVICE}"
        )
    return numbers


def camera(lens: np.ndarray, placed: np.ndarray, known: Camera) -> Camera:
    """A camera of its 9 and 6 numbers; the size of the images is that of a known one.

    lens: focal length and centre (px), radial and tangential distortion. placed: angles x, y, z
    (radians) with X_camera = Rx Ry Rz (X_world - t), then t (mm).
    """
    from scipy.spatial.transform import Rotation  # takes a while, for the few that bring the file

    to_world = Rotation.from_euler("XYZ", placed[:3]).inv()
    orientation = np.roll(to_world.as_quat(), 1)  # x, y, z, w -> w, x, y, z
    return replace(
        known,
        orientation=orientation.tolist(),
        translation_mm=placed[3:].tolist(),
        focal=lens[:2].tolist(),
        center=lens[2:4].tolist(),
        radial=lens[4:7].tolist(),
        tangential=lens[7:].tolist(),
    )

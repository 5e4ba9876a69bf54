"""Whether what a file says of poses can be true: shapes, numbers within reach, root, unit."""

from __future__ import annotations

from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.clip import FARTHEST
from htpbench.motion.skeleton import JOINTS, ROOT
from htpbench.poses.track import Kept, Track

DESCRIBED = "docs/poses.md says what each entry holds"
AGAIN = "copy or write the file again"
KEPT = f"expected which of F frames each of W windows kept in S stages; {DESCRIBED}"
SLOWEST, FASTEST = 0.1, 1000.0  # Hz
MOST_TRACKS = 10_000
MOST_COUNT = 10**9  # of a frame, a camera, a side of an image
ROOTED = 100.0  # mm that the root of a truth may be from 0, in the middle of the frames
SMALLEST = 20.0  # mm from the root to other joints; a body in metres or centimetres is smaller


def count(tracks: int) -> None:
    """One at least, and no more than memory has room for."""
    if not 0 < tracks <= MOST_TRACKS:
        raise BenchError(f"{tracks} tracks; expected 1 to {MOST_TRACKS}; split the file")


def track(
    *,
    name: str,
    poses: np.ndarray,
    rate: np.ndarray,
    first: np.ndarray,
    camera: np.ndarray,
    told: dict[str, Any],
    truth: np.ndarray | None = None,
    keypoints: np.ndarray | None = None,
    size: np.ndarray | None = None,
    kept: Kept | None = None,
) -> Track:
    """A track of what was read, if all of it can be true."""
    poses = table("poses", poses)
    if not told:  # no network's: whoever wrote them knows what they should be
        poses = measured("poses", poses)
    if truth is not None:
        truth = measured("truth", table("truth", truth, len(poses)))
    if keypoints is not None:
        keypoints = table("keypoints", keypoints, len(poses))
        if size is None:
            raise BenchError(
                "keypoints without size; expected the width and height of the images, px; add it"
            )
    sides = None
    if size is not None:
        if size.shape != (2,):
            raise BenchError(f"size has the shape {size.shape}; expected width and height, px")
        sides = whole("size", size[0], least=1), whole("size", size[1], least=1)
    return Track(
        name=name,
        rate=hertz("rate", rate),
        poses=poses,
        first=whole("first frame", first),
        camera=whole("camera", camera),
        truth=truth,
        keypoints=keypoints,
        size=sides,
        kept=kept,
        told=told,
    )


def table(key: str, array: np.ndarray, frames: int | None = None) -> np.ndarray:
    """(N, 17, 3) float32 of numbers within reach, of as many frames as there are poses."""
    shaped(key, array, frames)
    with np.errstate(all="ignore"):  # of numbers that are none
        if not ((array > -FARTHEST) & (array < FARTHEST)).all():
            raise BenchError(
                f"{key} holds NaN, infinity or numbers of {FARTHEST:.0e} and more; fill or cut the "
                "gaps"
            )
    return array.astype(np.float32)


def shaped(key: str, array: np.ndarray, frames: int | None = None) -> None:
    """(N, 17, 3), of so many frames if that is told, of one at least."""
    expected = ("N" if frames is None else frames, len(JOINTS), 3)
    if array.ndim != 3 or not len(array) or array.shape != (frames or len(array), *expected[1:]):
        raise BenchError(f"{key} has the shape {array.shape}; expected {expected}; {DESCRIBED}")


def measured(key: str, poses: np.ndarray) -> np.ndarray:
    """Poses that are relative to the root and not in metres."""
    away = float(np.median(np.linalg.norm(poses[:, ROOT], axis=-1)))
    if away > ROOTED:
        raise BenchError(
            f"{key}: joint {ROOT} ({JOINTS[ROOT]}) is {away:.0f} mm from 0; expected poses "
            "relative to it; subtract it from all joints of its frame"
        )
    reach = float(np.median(np.linalg.norm(poses[:, 1:], axis=-1)))
    if 0 < reach < SMALLEST:
        raise BenchError(
            f"{key}: joints are {reach:.2g} mm from the root; expected a body in millimetres; "
            "multiply metres by 1000, centimetres by 10"
        )
    return poses


def kept(stages: np.ndarray, first: np.ndarray, rate: np.ndarray) -> Kept:
    """What was kept, if windows and their beginnings fit; stages of 0 and 1."""
    if stages.ndim != 3 or not stages.size or first.shape != stages.shape[1:2]:
        raise BenchError(
            f"kept has the shape {stages.shape} and its windows begin at {first.shape}; {KEPT}"
        )
    flags = stages.astype(bool)
    if not np.array_equal(flags, stages):
        raise BenchError(f"kept holds more than 0 and 1; {KEPT}")
    within = (first >= -MOST_COUNT) & (first <= MOST_COUNT) & (first == np.floor(first))
    if not within.all() or (np.diff(first.astype(np.float64)) < 0).any():
        raise BenchError(
            f"the windows of kept begin elsewhere than at whole numbers, or do not ascend; {KEPT}"
        )
    return Kept(first.astype(np.int64), flags, hertz("rate of kept", rate))


def whole(key: str, number: np.ndarray, least: int = -MOST_COUNT) -> int:
    """A whole number within reach."""
    if number.shape != () or not least <= number <= MOST_COUNT or number != np.floor(number):
        raise BenchError(
            f"{key} is {number!s:.40}; expected a whole number from {least} to {MOST_COUNT}"
        )
    return int(number)


def hertz(key: str, rate: np.ndarray) -> float:
    """A rate that something can have."""
    if rate.shape != () or not SLOWEST <= rate <= FASTEST:
        raise BenchError(
            f"{key} is {rate!s:.40}; expected {SLOWEST:g} to {FASTEST:g} frames a second; mend it"
        )
    return float(rate)

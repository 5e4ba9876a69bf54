"""Holes: what is no number, frames that stand still to the last digit, joints not seen."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from htpbench.checking.verdict import Finding
from htpbench.motion.filmed import Shot
from htpbench.motion.skeleton import JOINTS

STILL = 5  # frames of 3D in a row that are equal; what is measured never is so
HELD = 10  # frames of 2D: detectors hold the last pose for a few where they see nobody,
MOVED = 30.0  # mm: and say the same of people who move less
LONG = 50  # frames, though not for longer
UNSEEN = 0.2  # of the joints with confidence 0, or at (0, 0): more is a doubt
NAMED = 0.01  # more is worth a word


def holes(shot: Shot) -> Iterator[Finding]:
    """What a shot lacks in 2D and in 3D."""
    for name, poses in (("3D", shot.poses3d), ("2D", shot.poses2d[: len(shot.poses3d)])):
        finite = np.asarray(np.isfinite(poses).all(axis=2))  # (N, J)
        if shot.valid is not None:  # what does not count may hold anything
            counts = shot.valid[: len(finite)]
            finite[~counts] = True
            poses = np.where(counts[:, None, None], poses, np.nan)
        if not finite.all():
            yield missing(shot, name, finite)
        yield from still(shot, name, poses)
    yield from unseen(shot)


def missing(shot: Shot, name: str, finite: np.ndarray) -> Finding:
    """NaN or infinity: which frames, and the first one."""
    frames = np.flatnonzero(~finite.all(axis=1))
    joint = int(np.flatnonzero(~finite[frames[0]])[0])
    called = JOINTS[joint] if finite.shape[1] == len(JOINTS) else "one"
    where = shot.take.name if name == "3D" else str(shot)
    return Finding(
        f"holes in {name}",
        f"{len(frames)} of {len(finite)} frames hold NaN or infinity, the first is frame "
        f"{frames[0]}, joint {joint} ({called})",
        where,
        "nothing can be measured against it: fill the gap or cut the clip there",
    )


def still(shot: Shot, name: str, poses: np.ndarray) -> Iterator[Finding]:
    """Runs of equal frames of 2D or of 3D."""
    if poses.shape[2] > 2 and name == "2D":  # a detector that says so may hold the last pose
        nobody = np.asarray((poses[..., 2] <= 0).all(axis=1))  # (N,)
        poses = np.where(nobody[:, None, None], np.nan, poses)
    first, length = longest(poses)
    there = shot.poses3d[first : first + length]
    if length < (STILL if name == "3D" else HELD):
        return
    if name == "2D" and length < LONG and not np.abs(there[-1] - there[0]).max() > MOVED:
        return
    yield Finding(
        f"frozen {name}",
        f"{length} frames in a row are equal, from frame {first} on",
        shot.take.name if name == "3D" else str(shot),
        "what is measured never is: the recording stopped and was padded; cut it there",
    )


def longest(poses: np.ndarray) -> tuple[int, int]:
    """The first frame and the length of the longest run of equal frames."""
    if len(poses) < 2:
        return 0, len(poses)
    flat = poses.reshape(len(poses), -1)
    same = flat[1:, 0] == flat[:-1, 0]  # (N - 1,) rarely any, so that little is compared
    at = np.flatnonzero(same)
    same[at] = (flat[at + 1] == flat[at]).all(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], same.astype(np.int8), [0]])))
    if not len(edges):
        return 0, 1
    lengths = edges[1::2] - edges[::2]
    return int(edges[2 * lengths.argmax()]), int(lengths.max()) + 1


def unseen(shot: Shot) -> Iterator[Finding]:
    """Joints of confidence 0, or at the very corner of the image."""
    flat = shot.poses2d[: len(shot.poses3d)]
    if shot.valid is not None:
        flat = flat[shot.valid[: len(flat)]]
    nothing = (flat[..., :2] == 0).all(axis=-1)  # (N, J)
    if flat.shape[-1] > 2:
        nothing |= flat[..., 2] <= 0
    share = float(nothing.mean()) if nothing.size else 0.0
    if share > NAMED:
        yield Finding(
            "unseen joints",
            f"{share:.1%} of the joints have confidence 0 or lie at (0, 0)",
            str(shot),
            "the detector did not see them: fill them in, or leave the clip out",
            share > UNSEEN,
        )

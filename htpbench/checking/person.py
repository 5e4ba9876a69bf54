"""Another person: 2D that jumps to somebody else, or is of somebody else for a while."""

from __future__ import annotations

import numpy as np

from htpbench.checking.look import Look, median
from htpbench.checking.verdict import Finding
from htpbench.motion.filmed import Shot

JUMP = 0.5  # of the height of the body from one frame to the next
ELSEWHERE = 0.02  # of the frames may be as far from the 3D without a word
NEAR = 15.0  # px of a 1000 px wide image: most frames are of the right one
ADVICE = "it is of another person there: follow one, or cut the clip"


def jumps(shot: Shot) -> Finding | None:
    """The whole body jumps by half its height between two frames."""
    flat = shot.poses2d[: len(shot.poses3d), :, :2]
    if len(flat) < 2:
        return None
    moved = np.median(np.abs(np.diff(flat[:, ::2], axis=0)).max(axis=-1), axis=1)  # (N - 1,)
    tall = median(np.ptp(flat[:: max(len(flat) // 200, 1)], axis=1).max(axis=1))
    at = np.flatnonzero(moved > JUMP * tall / 1.5)  # few, which are looked at closely
    if shot.valid is not None:
        at = at[shot.valid[at] & shot.valid[at + 1]]
    if not len(at) or not 0 < tall < np.inf:
        return None
    before, after = box(flat[at]), box(flat[at + 1])
    way = np.linalg.norm(after[0] - before[0], axis=1) / np.maximum(
        np.minimum(before[1], after[1]), 0.25 * tall
    )
    far = np.flatnonzero(way > JUMP)
    if not len(far):
        return None
    first = far[0]
    return Finding(
        "person",
        f"the body jumps by {way[first]:.1f} of its height to frame {at[first] + 1}, as it does "
        f"{len(far)} time{'s' if len(far) > 1 else ''}",
        str(shot),
        ADVICE,
    )


def box(flat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middles (n, 2) and heights (n,) of boxes around poses (n, 17, 2)."""
    low, high = flat.min(axis=1), flat.max(axis=1)
    return (low + high) / 2, high[:, 1] - low[:, 1]


def elsewhere(look: Look, away: np.ndarray) -> Finding | None:
    """Frames whose 2D is half a body from the 3D (`away`: n, 17), where most are near it."""
    tall = np.ptp(look.seen, axis=1).max(axis=1)
    off = np.median(away, axis=1)  # (n,)
    wrong = np.flatnonzero(off > JUMP * np.median(tall))
    if (
        np.median(off) > NEAR * look.wide
        or len(wrong) < max(2, ELSEWHERE * len(off))
        or len(wrong) > len(off) / 2
    ):
        return None
    return Finding(
        "person",
        f"in {len(wrong)} of {len(off)} frames the 2D is {np.median(off[wrong]):.0f} px from the "
        f"3D, frame {look.frames[wrong[0]]} is the first",
        str(look.shot),
        ADVICE,
    )

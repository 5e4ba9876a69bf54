"""Sides: frames in which a detector took the whole body's left for its right."""

from __future__ import annotations

import numpy as np

from htpbench.motion.framing import height
from htpbench.motion.skeleton import LEFT, MIRROR, RIGHT

# What an exchange and its end must save of the mean way of the limbs, in heights of the person. At
# this it finds 99 % of what is planted in motion, and flags nothing in motion as it is.
SAVED = 0.05


def exchanged(poses2d: np.ndarray) -> np.ndarray:
    """(N,) bool: frames whose sides are not those of most frames of a video (N, 17, 2 or more).

    Of all ways to exchange sides in some frames it is the one in which the limbs move least,
    where each change costs something. Which of the two is right, no motion can tell: the rarer is
    flagged.
    """
    points = poses2d[..., :2].astype(np.float64)
    if len(points) < 2:
        return np.zeros(len(points), dtype=bool)
    limbs, mirrored = points[:, [*LEFT, *RIGHT]], points[:, MIRROR][:, [*LEFT, *RIGHT]]
    tall = height(points)
    kept = np.linalg.norm(limbs[1:] - limbs[:-1], axis=-1).mean(axis=-1) / tall  # (N - 1,)
    crossed = np.linalg.norm(limbs[1:] - mirrored[:-1], axis=-1).mean(axis=-1) / tall + SAVED / 2
    cost, came = np.zeros(2), np.zeros((len(kept), 2), dtype=bool)  # of each state; whether changed
    for frame, (same, other) in enumerate(zip(kept, crossed, strict=True)):
        stay, change = cost + same, cost[::-1] + other
        came[frame] = change < stay
        cost = np.minimum(stay, change)
    state = np.zeros(len(points), dtype=bool)
    state[-1] = cost[1] < cost[0]
    for frame in range(len(kept) - 1, -1, -1):
        state[frame] = state[frame + 1] ^ came[frame, int(state[frame + 1])]
    return ~state if state.mean() > 0.5 else state

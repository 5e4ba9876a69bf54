"""Points that a detector did not see, filled in: over the face, then over time."""

from __future__ import annotations

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.keypoints.orders import FACE, Order, words

FILLS = ("linear", "hold")


def fill(
    points: np.ndarray, order: Order, needed: np.ndarray, how: str
) -> tuple[np.ndarray, np.ndarray]:
    """(T, K, 3) with a place for all points of `needed` (K,), and which were not seen (T, K).

    Confidence is 0 where something was filled in. BenchError names a joint that is missing in
    more than half of the frames.
    """
    if how not in FILLS:
        raise unknown("way to fill", how, FILLS)
    missing = np.isnan(points[..., 0])  # (T, K)
    filled = face_filled(points, order)
    still = np.isnan(filled[..., 0])
    for joint in np.flatnonzero(needed):
        empty = still[:, joint]
        if 2 * empty.sum() > len(empty):
            raise BenchError(
                f"the {words(order.points[joint])} is not seen in {empty.sum()} of {len(empty)} "
                "frames; expected it in at least half: film the whole body, or lower the "
                "detector's threshold"
            )
        if empty.any():
            over_time(filled[:, joint], np.flatnonzero(~empty), how)
    return filled, missing & needed


def face_filled(points: np.ndarray, order: Order) -> np.ndarray:
    """A copy with the face's points that are missing in the mean of those that are there.

    From behind or from the side a part of it is never seen, which must not end the reading.
    """
    filled = points.copy()
    face = [k for k, name in enumerate(order.points) if name in FACE]
    if face:
        place = filled[:, face, :2]  # (T, n, 2), a copy
        seen = np.logical_not(np.isnan(place[..., 0]))  # (T, n)
        total = np.where(seen[..., None], place, 0).sum(axis=1)  # (T, 2)
        mean = total / np.maximum(seen.sum(axis=1), 1)[:, None]
        put = ~seen & seen.any(axis=1, keepdims=True)
        place[put] = np.broadcast_to(mean[:, None], place.shape)[put]
        filled[:, face, :2] = place
    return filled


def over_time(track: np.ndarray, seen: np.ndarray, how: str) -> None:
    """Put places (T, 3) between the frames that are seen (n,): on a line, or as the last one was.

    Before the first and after the last one there is only the nearest.
    """
    frames = np.arange(len(track))
    if how == "hold":
        last = np.maximum(np.searchsorted(seen, frames, side="right") - 1, 0)
        track[:, :2] = track[seen[last], :2]
    else:
        for axis in (0, 1):
            track[:, axis] = np.interp(frames, seen, track[seen, axis])

"""Views cut into windows of F frames; no window crosses from one clip into another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.motion.views import Views

PIPELINES = ("seq2seq", "seq2frame")


@dataclass(frozen=True, eq=False)
class Windows:
    """W windows: `index` (W, F) int64 rows of Views; `scored` (W, F) bool; `view` (W,) int64."""

    index: np.ndarray
    scored: np.ndarray
    view: np.ndarray

    def thin(self, count: int) -> Windows:
        """At most `count` windows, evenly spaced over all."""
        if count < 1:
            raise BenchError(f"cannot keep {count} windows; at least 1 is needed")
        if count >= len(self.index):
            return self
        keep = (2 * np.arange(count) + 1) * len(self.index) // (2 * count)
        return Windows(self.index[keep], self.scored[keep], self.view[keep])

    def consecutive(self, count: int) -> Windows:
        """The first `count` windows of the first view that has so many."""
        held = np.bincount(self.view)  # windows of each view
        if count > held.max():
            raise BenchError(
                f"no clip has {count} consecutive windows; the longest has {held.max()}: lower "
                "`windows`, or `stride`"
            )
        keep = np.flatnonzero(self.view == np.argmax(held >= count))[:count]
        return Windows(self.index[keep], self.scored[keep], self.view[keep])


def cut(views: Views, frames: int, pipeline: str = "seq2seq", stride: int | None = None) -> Windows:
    """Windows of `frames` frames, `stride` apart (default: `frames` in seq2seq, 1 in seq2frame).

    seq2seq: the last window of a view is its last frames, scored only where no earlier window was;
    a view shorter than a window repeats its last frame, which is not scored again. seq2frame: edge
    frames are repeated and only the centre, (frames - 1) // 2, is scored. With the default stride
    every frame of a view is scored exactly once.
    """
    if pipeline not in PIPELINES:
        raise unknown("pipeline", pipeline, PIPELINES)
    if stride is None:
        stride = frames if pipeline == "seq2seq" else 1
    if frames < 1 or stride < 1:
        raise BenchError(f"frames is {frames} and stride is {stride}; both must be at least 1")
    length = views.stop - views.start  # (V,)
    if pipeline == "seq2seq":
        count = 1 + -(-np.maximum(length - frames, 0) // stride)
    else:
        count = -(-length // stride)
    view = np.repeat(np.arange(len(length)), count)  # (W,)
    number = np.arange(len(view)) - np.repeat(np.cumsum(count) - count, count)  # within the view
    length, at = length[view], number * stride
    if pipeline == "seq2seq":
        first = np.minimum(at, np.maximum(length - frames, 0))
        low = np.where(number > 0, at - stride + frames, 0)  # where the window before it ends
        high = length
    else:
        first = at - (frames - 1) // 2
        low, high = at, at + 1
    place = first[:, None] + np.arange(frames)  # (W, F), frame of the view
    scored = (place >= low[:, None]) & (place < high[:, None])
    index = views.start[view][:, None] + np.clip(place, 0, length[:, None] - 1)
    return Windows(index, scored, view)

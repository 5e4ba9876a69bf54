"""Views cut into windows of F frames; no window crosses from one clip into another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.motion.views import Views

PIPELINES = ("seq2seq", "seq2frame")


@dataclass(frozen=True, eq=False)
class Windows:
    """W windows of `frames` frames, held by where they begin; rows are made when asked for.

    Each is of a view `view` (W,) of the rows start:stop (W,), begins at its frame `first` (W,), and
    scores its frames low:high (W,), which lie within it. All are int64. Frames before and behind
    the view repeat its first and its last one.
    """

    frames: int
    view: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    first: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def __len__(self) -> int:
        return len(self.view)

    def __getitem__(self, chosen: slice | np.ndarray) -> Windows:
        """Some of the windows, by a slice, a mask (W,) or their numbers."""
        arrays = (self.view, self.start, self.stop, self.first, self.low, self.high)
        return Windows(self.frames, *(each[chosen] for each in arrays))

    @property
    def index(self) -> np.ndarray:
        """(W, F) int64: the rows of Views that the windows show. Ask it of a batch."""
        return self.rows(np.arange(self.frames)[None])

    @property
    def scored(self) -> np.ndarray:
        """(W, F) bool: which of them are scored."""
        place = self.first[:, None] + np.arange(self.frames)  # (W, F), frame of the view
        return (place >= self.low[:, None]) & (place < self.high[:, None])

    def rows(self, frames: np.ndarray) -> np.ndarray:
        """(W, f) rows of Views of the windows' frames (W, f), numbered from 0."""
        place = np.clip(self.first[:, None] + frames, 0, (self.stop - self.start)[:, None] - 1)
        return self.start[:, None] + place

    def rows_scored(self, total: int) -> np.ndarray:
        """(total,) bool: which of so many rows any window scores."""
        change = np.zeros(total + 1, dtype=np.int64)
        np.add.at(change, self.start + self.low, 1)
        np.add.at(change, self.start + self.high, -1)
        return np.cumsum(change)[:-1] > 0

    @property
    def overlap(self) -> bool:
        """Whether a row is scored by several of them."""
        scored = self.rows_scored(int(self.stop.max(initial=0)))
        return int((self.high - self.low).sum()) > int(scored.sum())

    def scoring(self, wanted: np.ndarray) -> Windows:
        """The windows that score at least one of the rows that are wanted (N,) bool."""
        before = np.concatenate([[0], np.cumsum(wanted)])  # wanted rows before each
        return self[before[self.start + self.high] > before[self.start + self.low]]

    def thin(self, count: int) -> Windows:
        """At most `count` windows, evenly spaced over all."""
        if count < 1:
            raise BenchError(f"cannot keep {count} windows; at least 1 is needed")
        if count >= len(self):
            return self
        return self[(2 * np.arange(count) + 1) * len(self) // (2 * count)]

    def consecutive(self, count: int) -> Windows:
        """The first `count` windows of the first view that has so many."""
        held = np.bincount(self.view)  # windows of each view
        if count > held.max():
            raise BenchError(
                f"no clip has {count} consecutive windows; the longest has {held.max()}: lower "
                "`windows`, or `stride`"
            )
        return self[np.flatnonzero(self.view == np.argmax(held >= count))[:count]]


def cut(
    views: Views,
    frames: int,
    pipeline: str = "seq2seq",
    stride: int | None = None,
    protocol: str = "once",
) -> Windows:
    """Windows of `frames` frames, `stride` apart (default: `usual_stride`), by a protocol."""
    if pipeline not in PIPELINES:
        raise unknown("pipeline", pipeline, PIPELINES)
    if protocol not in PROTOCOLS:
        raise unknown("evaluation protocol", protocol, PROTOCOLS)
    if stride is None:
        stride = usual_stride(frames, pipeline, protocol)
    if frames < 1 or stride < 1:
        raise BenchError(f"frames is {frames} and stride is {stride}; both must be at least 1")
    return PROTOCOLS[protocol](views, frames, pipeline, stride)


def usual_stride(frames: int, pipeline: str, protocol: str) -> int:
    """From one window to the next, where nothing else is said."""
    if pipeline == "seq2frame":
        return 1
    return -(-frames // 2) if protocol == "blended" else frames


def once(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """With the default stride every frame of a view is scored exactly once.

    seq2seq: the last window of a view is its last frames, scored only where no earlier window was;
    a view shorter than a window repeats its last frame, which is not scored again. seq2frame: edge
    frames are repeated and only the centre, (frames - 1) // 2, is scored.
    """
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
        seen = np.where(number > 0, at - stride + frames, 0)  # where the window before it ends
        low, high = np.maximum(seen, first), np.minimum(first + frames, length)
    else:
        first = at - (frames - 1) // 2
        low, high = at, at + 1
    return Windows(frames, view, views.start[view], views.stop[view], first, low, high)


def blended(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """As `once`, but seq2seq windows score all that they show of their view.

    They overlap by half where nothing else is said, so that no pose comes from the end of a window
    alone, and none jumps where one ends.
    """
    windows = once(views, frames, pipeline, stride)
    if pipeline == "seq2frame":
        return windows
    high = np.minimum(windows.first + frames, windows.stop - windows.start)
    return replace(windows, low=windows.first, high=high)


# How windows are cut, by the name that studies give; rows of unlike ones are never compared.
PROTOCOLS: dict[str, Callable[[Views, int, str, int], Windows]] = {
    "once": once,
    "blended": blended,
}

"""Windows of F frames of views; none crosses from one clip into another."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from htpbench.errors import BenchError


@dataclass(frozen=True, eq=False)
class Windows:
    """W windows of `frames` frames, held by where they begin; rows are made when asked for.

    Each is of a view `view` (W,) of the rows start:stop (W,), begins at its frame `first` (W,), and
    scores its frames low:high (W,). All are int64. Frames before and behind the view repeat its
    first and its last one; where low:high holds such, they are scored as if they were frames.
    `stretched` (W,) bool: those that spread a view of less than F frames over F; None: none.
    `apart`: from one frame of a window to the next, in frames of the view. `inside`: what repeats
    beyond the view's ends is the first and the last frame that the window itself shows of it.
    """

    frames: int
    view: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    first: np.ndarray
    low: np.ndarray
    high: np.ndarray
    stretched: np.ndarray | None = None
    apart: int = 1
    inside: bool = False

    def __len__(self) -> int:
        return len(self.view)

    def __getitem__(self, chosen: slice | np.ndarray) -> Windows:
        """Some of the windows, by a slice, a mask (W,) or their numbers."""
        arrays = (self.view, self.start, self.stop, self.first, self.low, self.high)
        spread = None if self.stretched is None else self.stretched[chosen]
        view, start, stop, first, low, high = (each[chosen] for each in arrays)
        ends = {"start": start, "stop": stop, "first": first, "low": low, "high": high}
        return replace(self, view=view, **ends, stretched=spread)

    @property
    def index(self) -> np.ndarray:
        """(W, F) int64: the rows of Views that the windows show. Ask it of a batch."""
        return self.rows(np.arange(self.frames)[None])

    @property
    def scored(self) -> np.ndarray:
        """(W, F) bool: which of them are scored."""
        place = self.places(np.arange(self.frames)[None])  # (W, F)
        return (place >= self.low[:, None]) & (place < self.high[:, None])

    def rows(self, frames: np.ndarray) -> np.ndarray:
        """(W, f) rows of Views of the windows' frames (W, f), numbered from 0."""
        low, last = np.zeros_like(self.start), self.stop - self.start - 1
        if self.inside:
            low = self.first % self.apart
            last = last - (last - low) % self.apart
        shown = np.clip(self.places(frames), low[:, None], last[:, None])
        return self.start[:, None] + shown

    def places(self, frames: np.ndarray) -> np.ndarray:
        """(W, f) frames of the views, below 0 and beyond their ends too, of the windows' frames."""
        if self.stretched is not None:
            length = (self.stop - self.start)[:, None]
            frames = np.where(self.stretched[:, None], frames * length // self.frames, frames)
        return self.first[:, None] + frames * self.apart

    def spread(self, apart: int, inside: bool = False) -> Windows:
        """The same with frames `apart` from each other round the middle one, which alone is scored.

        The middle is frame (F - 1) // 2 of the window. With `apart` 1 windows stay as they are.
        """
        if apart == 1:
            return self
        half = (self.frames - 1) // 2
        middle = self.first + half
        first = middle - half * apart
        return replace(self, first=first, low=middle, high=middle + 1, apart=apart, inside=inside)

    def rows_scored(self, total: int) -> np.ndarray:
        """(total,) bool: which of so many rows any window scores."""
        change = np.zeros(total + 1, dtype=np.int64)
        np.add.at(change, np.clip(self.start + self.low, self.start, self.stop), 1)
        np.add.at(change, np.clip(self.start + self.high, self.start, self.stop), -1)
        return np.cumsum(change)[:-1] > 0

    def each_scored(self) -> np.ndarray:
        """(n,) the rows that are scored, window after window: as often as any scores them."""
        count = self.high - self.low  # (W,)
        at = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - self.low, count)
        last = self.stop - self.start - 1
        return np.repeat(self.start, count) + np.clip(at, 0, np.repeat(last, count))

    @property
    def overlap(self) -> bool:
        """Whether a row is scored more than once."""
        if self.stretched is not None and self.stretched.any():
            return True
        scored = self.rows_scored(int(self.stop.max(initial=0)))
        return int((self.high - self.low).sum()) > int(scored.sum())

    def scoring(self, wanted: np.ndarray) -> Windows:
        """The windows that score at least one of the rows that are wanted (N,) bool."""
        before = np.concatenate([[0], np.cumsum(wanted)])  # wanted rows before each
        low, high = (
            np.clip(self.start + end, self.start, self.stop) for end in (self.low, self.high)
        )
        return self[before[high] > before[low]]

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

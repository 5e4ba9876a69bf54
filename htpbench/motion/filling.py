"""Poses of the frames between those that were lifted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from htpbench.motion.views import Views


class Filling(NamedTuple):
    """Rows (m,), ascending, and of which lifted poses theirs are made.

    The pose of a row is that of number `before` (m,) among all that were lifted, moved by its
    `share` (m,) float32 of the way to that of number `after` (m,).
    """

    rows: np.ndarray
    before: np.ndarray
    after: np.ndarray
    share: np.ndarray

    def poses(self, lifted: np.ndarray) -> np.ndarray:
        """Lifted poses (n, ...) -> those of the rows (m, ...)."""
        before, after = lifted[self.before], lifted[self.after]
        return before + self.share.reshape(-1, *[1] * (lifted.ndim - 1)) * (after - before)


def filling(lifted: np.ndarray, views: Views, step: int) -> Filling:
    """Of which rows poses are known, where those of `lifted` (n,), ascending, were lifted.

    Only poses of each view's frames 0, step, 2 step, ... are used: between two such it is linear,
    behind the last one of the view it is held. Where one of two was not lifted, as where windows
    are thinned, no pose between them is known.
    """
    start, stop = (ends[views.view_of(lifted)] for ends in (views.start, views.stop))
    chosen = np.flatnonzero((lifted - start) % step == 0)  # (c,) numbers among the lifted
    row, end = lifted[chosen], stop[chosen]
    last = row + step >= end  # of its view
    followed = np.append(row[1:] == row[:-1] + step, False)[: len(row)] & ~last
    count = np.where(followed | last, np.minimum(step, end - row), 1)  # (c,) rows from it on
    of = np.repeat(np.arange(len(row)), count)  # (m,)
    way = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count)
    share = np.where(followed[of], way / step, 0).astype(np.float32)
    after = np.where(followed[of], of + 1, of)
    return Filling(row[of] + way, chosen[of], chosen[after], share)

"""How far the 2D is from where cameras see the 3D, in px: medians."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from htpbench.checking.look import Look, median, spread

TRIED = 40  # frames on which what may be wrong is tried


@dataclass(frozen=True, eq=False)
class Pair:
    """Some frames `chosen` (m,) of a look, and where their 3D is in the images.

    exact (m, 17, 2) px; None where no camera is known: then one is fitted to each 2D.
    """

    look: Look
    chosen: np.ndarray
    exact: np.ndarray | None

    @classmethod
    def of(cls, look: Look, chosen: np.ndarray | None = None, most: int = TRIED) -> Pair:
        """At most so many frames of a look, or of some of its frames."""
        some = spread(np.arange(len(look.frames)) if chosen is None else chosen, most)
        return cls(look, some, look.exact(look.points, some))

    @property
    def frames(self) -> np.ndarray:
        """(m,) which frames of the clip they are."""
        return self.look.frames[self.chosen]

    @property
    def seen(self) -> np.ndarray:
        """(m, 17, 2) px: their 2D."""
        return self.look.flat[self.frames]

    def away(
        self,
        seen: np.ndarray,
        rows: np.ndarray | slice = slice(None),
        joints: Sequence[int] | slice = slice(None),
    ) -> np.ndarray:
        """(k, j) px from 2D (k, 17, 2) to the 3D of the frames in some rows, of some joints."""
        seen = seen[:, joints]  # (k, j, 2)
        if self.exact is not None:
            exact = self.exact[rows][:, joints]
        else:
            exact = fitted(rays(self.look.points[self.chosen][rows][:, joints]), seen)
        return np.linalg.norm(seen - exact, axis=-1)


def rays(points: np.ndarray) -> np.ndarray:
    """(k, j, 2): where 3D in camera axes lies at a depth of 1; nobody is behind the camera."""
    depth = points[..., 2:]
    return points[..., :2] / np.where(np.abs(depth) < 1.0, 1.0, depth) * (np.median(depth) > 0)


def fitted(flat: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(k, j, 2) px: rays by the focal lengths and centres that fit 2D best; none turns images."""
    whole = np.isfinite(seen)
    middle = np.where(whole, seen, 0).sum(axis=(0, 1)) / np.maximum(whole.sum(axis=(0, 1)), 1)
    from_mean = flat - flat.mean(axis=(0, 1))
    focal = (from_mean * np.where(whole, seen - middle, 0)).sum(axis=(0, 1))
    focal /= np.maximum((from_mean**2).sum(axis=(0, 1)), 1e-12)
    return np.maximum(focal, 0.0) * from_mean + middle


def plain(look: Look) -> np.ndarray:
    """(n, 17) px: how far the 2D of all frames of a look is from its 3D."""
    pair = Pair.of(look, most=len(look.frames))
    return pair.away(pair.seen)


def error(look: Look) -> float:
    """Its median."""
    return median(plain(look))

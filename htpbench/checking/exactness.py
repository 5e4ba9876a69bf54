"""Exact projections under a detector's name: 2D that no detector can have found."""

from __future__ import annotations

import numpy as np

from htpbench.checking.agreement import Pair, plain
from htpbench.checking.look import Look, median
from htpbench.checking.verdict import Finding

EXACT = 0.01  # px
SMOOTH = 0.05  # px: what remains of a lens's distortion beside a polynomial
DEGREE = 5
BEYOND = 2.0  # half images from the middle: no lens is measured there
FEWEST = 10  # points a coefficient


def is_exact(source: str) -> bool:
    """Whether a source's name says that its 2D is the projected truth."""
    return source.lower().split("_")[0] == "gt"


def exactness(look: Look, source: str) -> Finding | None:
    """2D of a detector is exact, or differs from the 3D by a lens alone; or "gt" is not exact."""
    away = plain(look)
    off = median(away)
    if is_exact(source):
        if look.shot.camera is None or off < 1.0:
            return None
        return Finding(
            "exact",
            f"the 2D of {source!r} is {off:.3g} px from the 3D",
            str(look.shot),
            "expected the exact projection: it was made by other cameras, or is detected",
        )
    meaning = (
        f"no detector finds that: the 2D of {source!r} is the projected 3D, and errors will be "
        "those of ground-truth 2D: name it gt"
    )
    if off < EXACT:
        return Finding("exact", f"the 2D is {off:.2g} px from the 3D", str(look.shot), meaning)
    if look.shot.image is None or off > 20 * look.wide:
        return None
    left = smooth(look)
    if left < SMOOTH:
        seen = f"the 2D is {off:.2g} px from the 3D, and {left:.2g} px beside a lens's distortion"
        return Finding("exact", seen, str(look.shot), meaning)
    return None


def smooth(look: Look) -> float:
    """The median px that remain of 2D minus truth beside a polynomial of the place."""
    pair = Pair.of(look, most=len(look.frames))
    if pair.exact is None:
        return np.inf
    place = (pair.exact / np.array(look.shot.size) * 2 - 1).reshape(-1, 2)  # (k, 2)
    powers = [(i, j) for i in range(DEGREE + 1) for j in range(DEGREE + 1 - i)]
    off = (pair.seen - pair.exact).reshape(-1, 2)
    whole = np.isfinite(off).all(axis=1) & (np.abs(place).max(axis=1) < BEYOND)
    place, off = place[whole], off[whole]
    if len(place) < FEWEST * len(powers):
        return np.inf
    terms = np.stack([place[:, 0] ** i * place[:, 1] ** j for i, j in powers], axis=1)
    found = np.linalg.lstsq(terms, off, rcond=None)[0]
    return median(np.linalg.norm(off - terms @ found, axis=1))

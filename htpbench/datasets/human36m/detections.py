"""Detections in Human3.6M, as VideoPose3D keeps them: `data_2d_h36m_SOURCE.npz`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.datasets.human36m.archive import by_clip, kind, members
from htpbench.datasets.human36m.facts import LENSES
from htpbench.datasets.human36m.order import Arrangement, arrangement
from htpbench.errors import BenchError
from htpbench.motion.clip import Take
from htpbench.outside import files

NAME = re.compile(r"data_2d_h36m_(.+)\.npz")


@dataclass(frozen=True, eq=False)
class Detections:
    """`held`: by take, four arrays (M, joints, 2 or more) as the file has them, px."""

    held: dict[str, list[np.ndarray]]
    order: Arrangement

    def of(self, take: Take, lens: int) -> np.ndarray:
        """(M, 17, 2 or 3): px and, where the file has it, confidence."""
        return self.order(self.held[take.name][lens])


def sources(folder: Path) -> dict[str, Path]:
    """Where the detections of each source lie."""
    names = ((NAME.fullmatch(path.name), path) for path in files.listed(folder))
    return {match[1]: path for match, path in names if match}


def read(path: Path, takes: Iterable[Take], joints: str) -> Detections:
    """The detections of the takes; whatever else there is, 2D of S2 for one, is ignored."""
    positions, metadata = members(path, "positions_2d", "metadata")
    try:
        order = arrangement(metadata, joints)
    except BenchError as fault:
        raise BenchError(f"{path}: {fault}") from None
    found = by_clip(positions, path, "positions_2d")
    held = {}
    for take in takes:
        if take.trial not in found.get(take.subject, {}):
            raise BenchError(
                f"{path}: no 2D of {take.name}, of which there is 3D; both are to come from one "
                "preparation"
            )
        seen = found[take.subject][take.trial]
        several = isinstance(seen, list | tuple) or (isinstance(seen, np.ndarray) and seen.ndim)
        count = len(seen) if several else 0
        if count != len(LENSES):
            raise BenchError(
                f"{path}: {take.name} is {kind(seen)} of {count} cameras; expected {len(LENSES)}"
            )
        where = f"{path}: {take.name}, camera "
        held[take.name] = [
            checked(one, order.count, where + lens) for one, lens in zip(seen, LENSES, strict=True)
        ]
    return Detections(held, order)


def checked(points: Any, count: int, where: str) -> np.ndarray:
    """An array of detections, if it is one."""
    sound = isinstance(points, np.ndarray) and points.dtype.kind in "fiu" and points.ndim == 3
    if not sound or points.shape[1] != count or points.shape[2] < 2:
        raise BenchError(f"{where} is {kind(points)}; expected (frames, {count}, 2 or more)")
    return points

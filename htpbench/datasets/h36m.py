"""Human3.6M in VideoPose3D's layout: `--data h36m:FOLDER`."""

from __future__ import annotations

import os
from pathlib import Path

from htpbench.datasets.human36m.archive import HUMANEVA, by_clip, listed, members
from htpbench.datasets.human36m.detections import sources
from htpbench.datasets.human36m.facts import ARCHIVE
from htpbench.datasets.human36m.recordings import EXACT, Recordings
from htpbench.errors import BenchError
from htpbench.outside import files

USUAL = ("cpn_ft_h36m_dbb", EXACT)  # detections, where none are named: the first that is there


class H36m(Recordings):
    """Human3.6M in VideoPose3D's layout: a folder of data_3d_h36m.npz and data_2d_h36m_SOURCE.npz.

    detections: the SOURCE; where none is named it is cpn_ft_h36m_dbb, else gt, else the only one.
    blocked: "keep" or "drop" the three clips of S9 whose capture drifts off the images. joints:
    "demo" or "midpoint", how 2D in another order than Human3.6M's is mapped.
    """

    def __init__(
        self, path: str, detections: str = "", blocked: str = "keep", joints: str = ""
    ) -> None:
        folder = Path(path)
        if not os.path.isdir(folder):
            raise BenchError(f"{path}: expected the folder that holds {ARCHIVE}")
        place = folder / ARCHIVE
        if not os.path.exists(place):
            held = [one.name for one in files.listed(folder)]
            humaneva = any(name.startswith("data_3d_humaneva") for name in held)
            raw = any(os.path.isdir(folder / name) for name in held if name in ("S1", "S9", "S11"))
            hint = "; did you mean h36m-raw:?" if raw else ""
            said = HUMANEVA if humaneva else f"no {ARCHIVE} in it, only {listed(held)}{hint}"
            raise BenchError(f"{path}: {said}")
        (positions,) = members(place, "positions_3d")
        super().__init__(
            folder,
            by_clip(positions, place, "positions_3d"),
            1000.0,
            [place],
            detections or usual(folder),
            made=False,
            blocked=blocked,
            joints=joints,
        )


def usual(folder: Path) -> str:
    """The source of detections where none is named."""
    there = sources(folder)
    found = [source for source in USUAL if source in there] or [*there]
    if not found:
        raise BenchError(f"{folder}: no 2D beside {ARCHIVE}; expected a data_2d_h36m_SOURCE.npz")
    if len(found) > 1 and found[0] not in USUAL:
        raise BenchError(
            f"{folder}: 2D of {', '.join(found)}; name the one to use: ,detections={found[0]}"
        )
    return found[0]

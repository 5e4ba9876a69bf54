"""Human3.6M as it is handed out: `--data h36m-raw:FOLDER`."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from htpbench.datasets.human36m import cdf, handed_out
from htpbench.datasets.human36m.archive import ByClip
from htpbench.datasets.human36m.facts import seventeen
from htpbench.datasets.human36m.recordings import EXACT, Recordings
from htpbench.errors import BenchError


class H36mRaw(Recordings):
    """Human3.6M as it is handed out: the CDF files of D3_Positions in a folder.

    Needs cdflib: `pip install htpbench[cdf]`. detections: "gt", the exact projection with the
    lens's distortion, or a SOURCE whose data_2d_h36m_SOURCE.npz lies in the folder. blocked,
    joints: as for h36m.
    """

    def __init__(
        self, path: str, detections: str = EXACT, blocked: str = "keep", joints: str = ""
    ) -> None:
        folder = Path(path)
        if not os.path.isdir(folder):
            raise BenchError(f"{path}: expected a folder; {handed_out.EXPECTED}")
        found = handed_out.files(folder)
        positions: ByClip = {
            subject: {
                key: seventeen(cdf.poses(place)).astype(np.float32, copy=False)
                for key, place in clips.items()
            }
            for subject, clips in found.items()
        }
        super().__init__(
            folder,
            positions,
            1.0,
            [place for clips in found.values() for place in clips.values()],
            detections,
            made=True,
            blocked=blocked,
            joints=joints,
        )

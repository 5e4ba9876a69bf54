"""What accuracy is measured on: windows of a motion's test subjects, and the card that says how."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from htpbench.measuring.official import in_unit
from htpbench.motion.dataset import Dataset
from htpbench.motion.filling import filling
from htpbench.motion.protocols import ONCE, Protocol, cut, named
from htpbench.motion.views import Views, downsample
from htpbench.motion.windows import Windows
from htpbench.records.conditions import beyond

ROOTS = {
    "subtracted": "pelvis, set to 0",
    "zeroed": "pelvis, set to 0 without the other joints",
    "own": "pelvis, as predicted: its error counts",
}
COUNTS = {
    "frames": "frames",
    "windows": "frames as often as windows show them",
    "errors": "frames, of each the mean of its errors",
}
MEAN_POSE = {"train": "of the training views", "test": "of the test views: there are no others"}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Windows to score and the card that says how; views of the test split in camera axes, mm."""

    views: Views
    windows: Windows
    mean_pose: np.ndarray | None  # (J, 3) mm, root-relative: of training views, or test
    card: dict[str, Any]
    protocol: Protocol = ONCE

    @cached_property
    def rows(self) -> np.ndarray:
        """(n,) rows of the views that are scored: ascending, or as often as windows score them."""
        if self.protocol.counts == "windows":
            rows = self.windows.each_scored()
            return rows[self.views.valid[rows]]
        rows = np.flatnonzero(self.windows.rows_scored(len(self.views.poses2d)))
        if self.protocol.filled > 1:
            rows = filling(rows, self.views, self.protocol.filled).rows
        return rows[self.views.valid[rows]]

    def following(self, rows: np.ndarray, order: int) -> np.ndarray:
        """(n - order,) bool: whether `order` + 1 of the rows follow each other in one view.

        Not in clips that were recorded slower than they are told: their fast motion is smoothed.
        Velocities (order 1) of a protocol that joins windows are taken between any two neighbours.
        """
        views, view = self.views, self.views.view_of(rows)
        recorded = np.array([clip.recorded for clip in views.clips])[views.clip]  # (V,)
        slow = (recorded > 0) & (recorded < views.rates)
        same = (view[order:] == view[:-order]) & ~slow[view[order:]]
        if order == 1 and self.protocol.joins:
            return same
        return (rows[order:] - rows[:-order] == order) & same


def prepare(
    data: Dataset,
    frames: int,
    pipeline: str,
    detections: str | None = None,
    cameras: str | None = None,
    limit: int | None = None,
    stride: int | None = None,
    every: int = 1,
    seed: int = 0,
    consecutive: bool = False,
    protocol: str = "once",
    unit: str = "m",
) -> Evaluation:
    """Cut the test split into windows; `limit` keeps that many, evenly spaced or consecutive.

    `every` keeps each `every`-th frame of the 50 Hz: 2, 3 and 4 are H2OT's Table 9. `cameras`:
    None are those of the data. `unit`: of what networks say.
    """
    cameras, how = cameras or data.cameras, named(protocol)
    views = in_unit(downsample(data.views("test", detections, cameras, seed), every), unit)
    windows = cut(views, frames, pipeline, stride, protocol)
    thinned = windows
    if limit is not None:
        thinned = windows.consecutive(limit) if consecutive else windows.thin(limit)
    seen = "train" if "train" in data.splits and "train" in data.measured else "test"
    rates = sorted({round(float(rate), 3) for rate in views.rates})
    card = {
        "data": data.name,
        "fingerprint": data.fingerprint,
        "split": "test",
        "detections": views.source,
        "cameras": cameras,
        "motion_seed": seed,
        "frame_rate": rates[0] if len(rates) == 1 else rates,
        "pipeline": pipeline,
        "stride": stride or how.stride(frames, pipeline),
        "windows": f"{len(thinned)} of {len(windows)}",
        "padding": "edge",
        "missing_joints": "hold",
        "joints": 17,
        "root": ROOTS[how.root],
        "mean_over": COUNTS[how.counts],
    }
    card |= beyond(
        spread=("consecutive" if consecutive else "even", "even"),
        mean_pose=(MEAN_POSE[seen], MEAN_POSE["train"]),
        protocol=(protocol, "once"),
        unit=(unit, "m"),
        prepared=(data.card, {}),
    )
    return Evaluation(views, thinned, data.mean_pose(seen, seed), card, how)

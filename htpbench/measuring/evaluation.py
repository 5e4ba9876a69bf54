"""What accuracy is measured on: windows of a motion's test subjects, and the card that says how."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from htpbench.motion.clip import Motion
from htpbench.motion.views import Views, downsample, make_views
from htpbench.motion.windows import Windows, cut
from htpbench.records.conditions import beyond

MEAN_POSE = {"train": "of the training views", "test": "of the test views: there are no others"}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Windows to score and the card that says how; views of the test split in camera axes, mm."""

    views: Views
    windows: Windows
    mean_pose: np.ndarray  # (J, 3) mm, root-relative: training views, or test if there are none
    card: dict[str, Any]

    @cached_property
    def rows(self) -> np.ndarray:
        """(n,) rows of the views that are scored, ascending."""
        return np.flatnonzero(self.windows.rows_scored(len(self.views.poses2d)))

    def following(self, rows: np.ndarray, order: int) -> np.ndarray:
        """(n - order,) bool: whether `order` + 1 of the rows follow each other in one view.

        Not in clips that were recorded slower than they are told: their fast motion is smoothed.
        """
        views, view = self.views, self.views.view_of(rows)
        slow = np.array([0 < clip.recorded < views.rate for clip in views.clips])[
            views.clip
        ]  # (V,)
        same = (view[order:] == view[:-order]) & ~slow[view[order:]]
        return (rows[order:] - rows[:-order] == order) & same


def prepare(
    motion: Motion,
    frames: int,
    pipeline: str,
    detections: str = "cpn",
    cameras: str = "rotate",
    limit: int | None = None,
    stride: int | None = None,
    every: int = 1,
    seed: int = 0,
    consecutive: bool = False,
) -> Evaluation:
    """Cut the test split into windows; `limit` keeps that many, evenly spaced or consecutive.

    `every` keeps each `every`-th frame of the 50 Hz: 2, 3 and 4 are H2OT's Table 9.
    """
    views = downsample(make_views(motion.split("test"), detections, cameras, seed), every)
    windows = cut(views, frames, pipeline, stride)
    thinned = windows
    if limit is not None:
        thinned = windows.consecutive(limit) if consecutive else windows.thin(limit)
    seen = "train" if any(clip.split == "train" for clip in motion.clips) else "test"
    train = make_views(motion.split(seen), "gt", "rotate", seed)
    card = {
        "data": motion.name,
        "fingerprint": motion.fingerprint,
        "split": "test",
        "detections": detections,
        "cameras": cameras,
        "motion_seed": seed,
        "frame_rate": round(views.rate, 3),
        "pipeline": pipeline,
        "stride": stride or (frames if pipeline == "seq2seq" else 1),
        "windows": f"{len(thinned)} of {len(windows)}",
        "padding": "edge",
        "missing_joints": "hold",
        "joints": 17,
        "root": "pelvis, set to 0",
        "mean_over": "frames",
    }
    card |= beyond(
        spread=("consecutive" if consecutive else "even", "even"),
        mean_pose=(MEAN_POSE[seen], MEAN_POSE["train"]),
    )
    return Evaluation(views, thinned, train.poses3d.mean(axis=0), card)

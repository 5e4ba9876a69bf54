"""Takes as cameras see them: 2D detections, and 3D truth in the camera's frame if there is any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.cameras import Camera
from htpbench.motion.clip import FRAME_RATE, Take
from htpbench.motion.skeleton import ROOT


@dataclass(frozen=True, eq=False)
class Views:
    """V views laid end to end in N rows; view v is rows start[v]:stop[v].

    `poses2d` (N, 17, 3) float32: x, y in VideoPose3D's screen units, confidence.
    `poses3d` (N, 17, 3) float32: camera axes, mm, relative to the root (which is 0); or None.
    `root` (N, 3) float32: where the root is, camera axes, mm; or None.
    `valid` (N,) bool: the rows that are scored.
    `clip` and `camera` (V,) int64: indices into `clips` and into `cameras`.
    `rates` (V,) float: rows per second. `cameras`: None where they are not known.
    `source`: what the 2D comes from. `every`: frames of the takes from one row to the next.
    `unit`: of what networks say; where it is not metres, `scale` (N,) float32 is mm a unit.
    `widths` (V,): of the images, px, where they are known without cameras.
    """

    poses2d: np.ndarray
    poses3d: np.ndarray | None
    root: np.ndarray | None
    valid: np.ndarray
    start: np.ndarray
    stop: np.ndarray
    clip: np.ndarray
    camera: np.ndarray
    rates: np.ndarray
    clips: tuple[Take, ...]
    cameras: tuple[Camera, ...] | None
    source: str
    every: int = 1
    unit: str = "m"
    scale: np.ndarray | None = None
    widths: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        takes: Sequence[Take],
        poses2d: Sequence[np.ndarray],
        poses3d: Sequence[np.ndarray] | None = None,
        *,
        source: str,
        rate: float = FRAME_RATE,
    ) -> Views:
        """One view a take, through cameras that are not known; every row is scored.

        2D of each take (n, 17, 3): x, y, confidence. 3D (n, 17, 3): camera axes, mm; the root may
        be anywhere.
        """
        lengths = np.array([len(each) for each in poses2d], dtype=np.int64)
        stop, numbers = lengths.cumsum(), np.arange(len(takes))
        if poses3d is not None and [len(each) for each in poses3d] != lengths.tolist():
            raise BenchError("2D and 3D have unlike lengths; expected one pose of each a frame")
        placed = None if poses3d is None else np.concatenate(poses3d).astype(np.float32)
        return cls(
            poses2d=np.concatenate(poses2d).astype(np.float32),
            poses3d=None if placed is None else placed - placed[:, ROOT, None],
            root=None,
            valid=np.ones(lengths.sum(), dtype=bool),
            start=stop - lengths,
            stop=stop,
            clip=numbers,
            camera=numbers,
            rates=np.full(len(takes), rate),
            clips=tuple(takes),
            cameras=None,
            source=source,
        )

    def view_of(self, rows: np.ndarray) -> np.ndarray:
        """(n,) the view that each row belongs to."""
        return np.searchsorted(self.start, rows, side="right") - 1

    @property
    def truth(self) -> np.ndarray:
        """`poses3d`; BenchError where there are none."""
        if self.poses3d is None:
            raise BenchError(
                "the data has no 3D poses, so nothing can be scored or trained on; name other data "
                "(`htpbench lift` needs none)"
            )
        return self.poses3d

    def lens(self, view: int) -> Camera:
        """A view's camera; BenchError where it is not known."""
        if self.cameras is None:
            raise BenchError(
                "the data has no cameras, which reprojection needs; choose --rule p-agg"
            )
        return self.cameras[self.camera[view]]

    @property
    def projects(self) -> bool:
        """Whether the exact 2D of its poses is known."""
        return all(one is not None for one in (self.poses3d, self.root, self.cameras))

    def exact(self) -> np.ndarray:
        """(N, 17, 2) float32, screen units: where the joints are in the images."""
        assert self.poses3d is not None and self.root is not None
        exact = np.empty((*self.poses2d.shape[:2], 2), np.float32)
        for view, (a, b) in enumerate(zip(self.start, self.stop, strict=True)):
            lens = self.lens(view)
            placed = self.poses3d[a:b].astype(np.float64) + self.root[a:b, None]
            exact[a:b] = lens.normalise(lens.project(placed))
        return exact

    def only(self, chosen: np.ndarray) -> Views:
        """Some of the views, by a mask (V,)."""
        ends = zip(self.start[chosen], self.stop[chosen], strict=True)
        rows = [np.arange(start, stop) for start, stop in ends]
        by_view = {
            name: held[chosen]
            for name in ("clip", "camera", "rates", "widths")
            if (held := getattr(self, name)) is not None
        }
        return self.rows(rows, **by_view)

    def rows(self, chosen: Sequence[np.ndarray], **changes: object) -> Views:
        """The same with some rows (n,) of each view, ascending."""
        stop = np.cumsum([len(each) for each in chosen], dtype=np.int64)
        start = np.concatenate([[0], stop[:-1]]).astype(np.int64)
        kept = np.concatenate(chosen)
        arrays = {
            name: held[kept]
            for name in ("poses2d", "poses3d", "root", "valid", "scale")
            if (held := getattr(self, name)) is not None
        }
        return replace(self, start=start, stop=stop, **arrays, **changes)  # type: ignore[arg-type]


def downsample(views: Views, every: int) -> Views:
    """Each view's first row and every `every`-th after it; detections stay what they were.

    2, 3 and 4 make 25, 16.7 and 12.5 Hz of 50: H2OT, Table 9.
    """
    if every < 1:
        raise BenchError(f"cannot keep every {every}-th frame; expected 1 (all of them) or more")
    rows = [np.arange(a, b, every) for a, b in zip(views.start, views.stop, strict=True)]
    return views.rows(rows, every=views.every * every, rates=views.rates / every)

"""Data that brings cameras and detections of its own: one shot for each camera of a take."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.motion.cameras import Camera, screen
from htpbench.motion.clip import FARTHEST, FRAME_RATE, SPLITS, Take
from htpbench.motion.dataset import Dataset
from htpbench.motion.filming import CAMERAS
from htpbench.motion.skeleton import ROOT
from htpbench.motion.views import Views


@dataclass(frozen=True, eq=False)
class Shot:
    """A take as one camera saw it and as its file has it: brought to one layout, not judged yet.

    `poses2d` (M, J, 2 or 3): px and confidence; a video may run on after the capture: M >= N.
    `poses3d` (N, 17, 3): camera axes (x right, y down, z forward), mm, the root anywhere.
    `lens`: the camera's name. `size`: width and height, px. `camera`: None where it is not known.
    `valid` (N,) bool: the frames that are scored; None: all. `scale` (N,): mm per unit of what
    networks say; None: they say metres. `image` (N, 17, 2): px of the truth, where a file says it.
    """

    take: Take
    lens: str
    size: tuple[int, int]
    poses2d: np.ndarray
    poses3d: np.ndarray
    camera: Camera | None = None
    rate: float = FRAME_RATE
    valid: np.ndarray | None = None
    scale: np.ndarray | None = None
    image: np.ndarray | None = None

    def __str__(self) -> str:
        return f"{self.take.name}, camera {self.lens}"


class Filmed(Dataset):
    """A data set of shots; `unit`: of what networks say, as Views have it."""

    cameras = "all"
    unit = "m"

    @abstractmethod
    def shots(self, split: str, source: str | None = None) -> Iterable[Shot]:
        """The shots of a split, take after take as `takes` has them, and camera after camera.

        They are made one by one and hold whatever the files do. source: as in `views`.
        """

    def views(
        self, split: str, source: str | None = None, cameras: str = "all", seed: int = 0
    ) -> Views:
        """See Dataset; BenchError names the shot that cannot be used, and why."""
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        if cameras not in CAMERAS:
            raise unknown("choice of cameras", cameras, CAMERAS)
        shots = self.shots(split, source)
        if cameras == "rotate":
            shots = in_turn(shots)
        return joined(shots, self.takes(split), source or self.detections, self.unit)


def in_turn(shots: Iterable[Shot]) -> Iterator[Shot]:
    """One camera a take: take i by its camera i % n."""
    for i, (_, some) in enumerate(groupby(shots, key=lambda shot: shot.take.name)):
        held = [*some]
        yield held[i % len(held)]


def joined(shots: Iterable[Shot], takes: tuple[Take, ...], source: str, unit: str) -> Views:
    """Shots as views; BenchError for any that is not sound."""
    number = {take.name: i for i, take in enumerate(takes)}
    columns: list[list[np.ndarray]] = [[], [], [], [], []]
    clips, cameras, rates, at, widths = [], [], [], [], []
    lenses: dict[int, int] = {}
    for shot in shots:
        if shot.camera is not None and id(shot.camera) not in lenses:
            lenses[id(shot.camera)] = len(cameras)
            cameras.append(shot.camera)
        at.append(lenses[id(shot.camera)] if shot.camera is not None else len(at))
        for column, part in zip(columns, checked(shot), strict=True):
            column.append(part)
        clips.append(number[shot.take.name])
        rates.append(shot.rate)
        widths.append(shot.size[0])
    stop = np.cumsum([len(part) for part in columns[0]], dtype=np.int64)
    # what is joined is let go at once: some data takes gigabytes
    poses2d, poses3d, root, valid, scale = (np.concatenate(columns.pop(0)) for _ in range(5))
    known = len(cameras) > 0
    return Views(
        poses2d,
        poses3d,
        root,
        valid,
        np.concatenate([[0], stop[:-1]]).astype(np.int64),
        stop,
        np.array(clips, dtype=np.int64),
        np.array(at, dtype=np.int64),
        np.array(rates, dtype=np.float64),
        takes,
        tuple(cameras) if known else None,
        source,
        unit=unit,
        scale=None if unit == "m" else scale,
        widths=np.array(widths, dtype=np.int64),
    )


def checked(shot: Shot) -> tuple[np.ndarray, ...]:
    """2D, 3D, root, validity and scale of a shot as views hold them; BenchError where it is bad."""
    frames, advice = len(shot.poses3d), "; `htpbench data check` says more"
    if shot.poses2d.ndim != 3 or shot.poses2d.shape[1] != shot.poses3d.shape[1]:
        raise BenchError(f"{shot}: 2D of shape {shot.poses2d.shape}; expected (frames, 17, 2 or 3)")
    if len(shot.poses2d) < frames:
        raise BenchError(
            f"{shot}: 2D has {len(shot.poses2d)} frames and 3D {frames}; expected as many, or more "
            f"that run on after the capture{advice}"
        )
    valid = np.ones(frames, dtype=bool) if shot.valid is None else shot.valid
    flat = shot.poses2d[:frames]
    for name, poses in (("2D", flat), ("3D", shot.poses3d)):
        with np.errstate(over="ignore", invalid="ignore"):  # float16 does not reach as far
            finite = (np.abs(poses) < FARTHEST).all(axis=(1, 2))  # (N,)
        if wrong := int((valid & ~finite).sum()):
            where = int(np.flatnonzero(valid & ~finite)[0])
            raise BenchError(
                f"{shot}: {name} holds NaN or infinity, or {FARTHEST:.0e} and more, in {wrong} of "
                f"{frames} frames, the first is {where}; expected numbers: mend or cut the "
                f"clip{advice}"
            )
    poses2d = np.ones((frames, shot.poses2d.shape[1], 3), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # where frames do not count
        poses2d[..., :2] = screen(np.asarray(flat[..., :2], np.float64), shot.size)
        if shot.poses2d.shape[2] > 2:
            poses2d[..., 2] = np.clip(flat[..., 2], 0, 1)
        root = shot.poses3d[:, ROOT]
        poses3d = (shot.poses3d - root[:, None]).astype(np.float32)
        held = (poses2d, poses3d, root.astype(np.float32))
    scale = np.ones(frames) if shot.scale is None else shot.scale
    if not valid.all():  # what does not count may be anything, but is shown to networks
        for array in held:
            np.nan_to_num(array, copy=False, posinf=0.0, neginf=0.0)
    return *held, valid, scale.astype(np.float32)

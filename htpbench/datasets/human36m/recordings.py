"""Recordings of Human3.6M: 3D in the world, seen by its four cameras."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.datasets.human36m import facts, metadata
from htpbench.datasets.human36m.archive import ByClip, kind, listed
from htpbench.datasets.human36m.detections import Detections, read, sources
from htpbench.errors import BenchError, unknown
from htpbench.keypoints.mapping import MAPS
from htpbench.motion.clip import SPLITS, Take
from htpbench.motion.filmed import Filmed, Shot
from htpbench.outside import files

EXACT = "gt"  # the source that is a projection of the 3D
MOST = 1e30  # mm or px: float32 computes with no more


class Recordings(Filmed):
    """Takes of seven subjects, S11 `Directions` left out.

    positions: by subject and key, (N, 32 or 17, 3) in the world, z up, in units of `unit` mm; they
    stay as they are and are converted clip by clip. read_from: the files that they come from.
    source: of the 2D. made: "gt" is made of the 3D, not read. blocked: "keep" or "drop" the takes
    of S9 whose capture drifts off the images. joints: how 2D of other joints is mapped.
    """

    layout = "h36m"
    citation = facts.CITATION

    def __init__(
        self,
        folder: Path,
        positions: ByClip,
        unit: float,
        read_from: Iterable[Path],
        source: str,
        *,
        made: bool,
        blocked: str,
        joints: str,
    ) -> None:
        if blocked not in facts.CHOICES:
            raise unknown("choice of blocked", blocked, facts.CHOICES)
        if joints and joints not in MAPS:
            raise unknown("map of joints", joints, MAPS)
        self.name, self.folder, self.unit_mm, self.made = "h36m", folder, unit, made
        self.joints, self.detections = joints, source
        self.positions, self.recorded = chosen(folder, positions, blocked == "drop")
        own = folder / metadata.FILE
        there = os.path.exists(own)
        self.cameras_of = metadata.read(own) if there else facts.cameras()
        self.seen: tuple[str, Detections | None] = ("", None)
        told = self.detected(source)
        self.card: dict[str, Any] = {
            "cameras_from": own.name if there else "shipped",
            "joints": told.order.told if told else "exact projection",
            "blocked": blocked,
            "left_out": " ".join(facts.LEFT_OUT),
        }
        split = self.splits[-1]
        self.card |= facts.lacking({one.action for one in self.recorded if one.split == split})
        whole = [*read_from, *([self.sources[source]] if told else [])]
        whole += [own] * own.exists()
        words = (source, blocked, joints, *(take.name for take in self.recorded))
        self.fingerprint = files.fingerprint(whole, *words)

    @property
    def sources(self) -> dict[str, Path]:
        """Where the 2D of each source lies."""
        return sources(self.folder)

    def detected(self, source: str) -> Detections | None:
        """The 2D of a source, the last of which is held; None: it is made of the 3D."""
        if self.made and source == EXACT:
            return None
        if source not in self.sources:
            raise unknown("2D source", source, [*self.sources, *[EXACT] * self.made])
        if self.seen[0] != source:
            self.seen = "", None  # two would take twice the memory
            self.seen = source, read(self.sources[source], self.recorded, self.joints)
        return self.seen[1]

    @property
    def splits(self) -> tuple[str, ...]:
        """See Dataset."""
        there = {take.split for take in self.recorded}
        return tuple(split for split in SPLITS if split in there)

    def takes(self, split: str) -> tuple[Take, ...]:
        """See Dataset."""
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        found = tuple(take for take in self.recorded if take.split == split)
        if not found:
            subjects = listed({take.subject for take in self.recorded})
            raise BenchError(
                f"{self.folder} has no {split} subjects, only {subjects}; use the other split"
            )
        return found

    def shots(self, split: str, source: str | None = None) -> Iterator[Shot]:
        """See Filmed."""
        seen = self.detected(source or self.detections)
        for take in self.takes(split):
            with np.errstate(all="ignore"):  # whatever the file holds is judged later
                world = facts.seventeen(self.positions[take.name]).astype(np.float64) * self.unit_mm
            for number, lens in enumerate(self.cameras_of[take.subject]):
                with np.errstate(all="ignore"):
                    placed = lens.view(world)  # (N, 17, 3)
                    points = seen.of(take, number) if seen else lens.project(placed)
                yield Shot(
                    take, facts.LENSES[number], lens.size, tamed(points), tamed(placed), lens
                )


def chosen(
    folder: Path, found: ByClip, drop: bool
) -> tuple[dict[str, np.ndarray], tuple[Take, ...]]:
    """The takes that are used, by name, and what they are; BenchError for what is no pose."""
    positions, takes = {}, []
    for subject, split in facts.SPLIT_OF.items():
        for key, poses in found.get(subject, {}).items():
            name, action = f"{subject}/{key}", key.partition(" ")[0]
            out = (subject, key) == facts.LEFT_OUT or (drop and name in facts.BLOCKED)
            if out or action not in facts.ACTIONS:
                continue
            take = Take(name, subject, action, split, trial=key)
            positions[take.name] = checked(poses, f"{folder}: 3D of {take.name}")
            takes.append(take)
    if not takes:
        keys = listed({key for clips in found.values() for key in clips})
        raise BenchError(
            f"{folder} has nothing that is used; expected actions like 'Walking 1' of "
            f"{', '.join(facts.SPLIT_OF)}, found {keys} of {listed(found)}"
        )
    return positions, tuple(takes)


def checked(poses: Any, where: str) -> np.ndarray:
    """An array of poses, if it is one."""
    sound = isinstance(poses, np.ndarray) and poses.dtype.kind in "fiu" and poses.ndim == 3
    if not sound or poses.shape[1] not in (17, facts.ALL_JOINTS) or poses.shape[2] != 3:
        raise BenchError(f"{where} is {kind(poses)}; expected (frames, 32 or 17, 3)")
    if not len(poses):
        raise BenchError(f"{where} has no frames; leave it out, or prepare it anew")
    return poses


def tamed(points: np.ndarray) -> np.ndarray:
    """The same, with infinity for what no float32 computes with."""
    with np.errstate(invalid="ignore", over="ignore"):  # float16 knows no number as large
        vast = np.abs(points) > MOST
    return np.where(vast, np.inf, points) if vast.any() else points

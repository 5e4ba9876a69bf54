"""Recordings of Human3.6M: 3D in the world, seen by its four cameras."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.datasets.human36m.archive import ByClip, kind, listed
from htpbench.datasets.human36m.detections import Detections, read, sources
from htpbench.datasets.human36m.order import checked_map
from htpbench.errors import BenchError, unknown
from htpbench.motion import h36m, h36m_metadata
from htpbench.motion.clip import SPLITS, Take
from htpbench.motion.filmed import Filmed, Shot
from htpbench.outside import files

BLOCKED = ("keep", "drop")
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
        if blocked not in BLOCKED:
            raise unknown("choice of blocked", blocked, BLOCKED)
        self.name, self.folder, self.unit_mm, self.made = "h36m", folder, unit, made
        self.joints, self.detections = checked_map(joints), source
        self.positions, self.recorded = chosen(folder, positions, blocked == "drop")
        own = folder / h36m_metadata.FILE
        self.cameras_of = h36m_metadata.read(own) if own.exists() else h36m.cameras()
        self.seen: tuple[str, Detections | None] = ("", None)
        told = self.detected(source)
        self.card: dict[str, Any] = {
            "cameras_from": own.name if own.exists() else "shipped",
            "joints": told.order.told if told else "exact projection",
            "blocked": blocked,
            "left_out": " ".join(h36m.LEFT_OUT),
        }
        split = self.splits[-1]
        actions = {take.action for take in self.recorded if take.split == split}
        if len(actions) < len(h36m.ACTIONS):
            self.card["actions"] = f"{len(actions)} of {len(h36m.ACTIONS)}"
        whole = [*read_from, *([self.sources[source]] if told else [])]
        whole += [own] * own.exists()
        words = (source, blocked, joints, *(take.name for take in self.recorded))
        self.fingerprint = fingerprint(whole, words)

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
                world = h36m.seventeen(self.positions[take.name]).astype(np.float64) * self.unit_mm
            for number, lens in enumerate(self.cameras_of[take.subject]):
                with np.errstate(all="ignore"):
                    placed = lens.view(world)  # (N, 17, 3)
                    points = seen.of(take, number) if seen else lens.project(placed)
                yield Shot(take, h36m.LENSES[number], lens.size, tamed(points), tamed(placed), lens)


def chosen(
    folder: Path, found: ByClip, drop: bool
) -> tuple[dict[str, np.ndarray], tuple[Take, ...]]:
    """The takes that are used, by name, and what they are; BenchError for what is no pose."""
    positions, takes = {}, []
    for subject, split in h36m.SPLIT_OF.items():
        blocked = h36m.BLOCKED.get(subject, ()) if drop else ()
        for key, poses in found.get(subject, {}).items():
            action = key.partition(" ")[0]
            out = (subject, key) == h36m.LEFT_OUT or key in blocked
            if out or action not in h36m.ACTIONS:
                continue
            take = Take(f"{subject}/{key}", subject, action, split, trial=key)
            positions[take.name] = checked(poses, f"{folder}: 3D of {take.name}")
            takes.append(take)
    if not takes:
        keys = listed({key for clips in found.values() for key in clips})
        raise BenchError(
            f"{folder} has nothing that is used; expected actions like 'Walking 1' of "
            f"{', '.join(h36m.SPLIT_OF)}, found {keys} of {listed(found)}"
        )
    return positions, tuple(takes)


def checked(poses: Any, where: str) -> np.ndarray:
    """An array of poses, if it is one."""
    sound = isinstance(poses, np.ndarray) and poses.dtype.kind in "fiu" and poses.ndim == 3
    if not sound or poses.shape[1] not in (17, h36m.ALL_JOINTS) or poses.shape[2] != 3:
        raise BenchError(f"{where} is {kind(poses)}; expected (frames, 32 or 17, 3)")
    if not len(poses):
        raise BenchError(f"{where} has no frames; leave it out, or prepare it anew")
    return poses


def tamed(points: np.ndarray) -> np.ndarray:
    """The same, with infinity for what no float32 computes with."""
    with np.errstate(invalid="ignore", over="ignore"):  # float16 knows no number as large
        vast = np.abs(points) > MOST
    return np.where(vast, np.inf, points) if vast.any() else points


def fingerprint(paths: Iterable[Path], words: Iterable[str]) -> str:
    """12 hex digits of the SHA-256 of words and of what files hold."""
    digest = hashlib.sha256("\0".join(words).encode(errors="surrogatepass"))
    for path in paths:
        one = hashlib.sha256()
        with files.opened(path) as file:
            while block := file.read(2**20):
                one.update(block)
        digest.update(one.digest())
    return digest.hexdigest()[:12]

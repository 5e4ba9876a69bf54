"""A recorded motion: clips of 3D joints, each of one subject, for training or for testing."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from htpbench.errors import BenchError, unknown

SPLITS = ("train", "test")
FRAME_RATE = 50.0  # Hz, of every clip
FARTHEST = 1e6  # mm from the origin: 1 km, where float32 still tells 0.06 mm apart


@dataclass(frozen=True, eq=False)
class Clip:
    """One uncut recording: `positions` (N, 17, 3) float32, world frame, mm, z up, 50 Hz.

    `cluster` names subjects that may be one person, or act together: intervals draw them at once.
    `recorded` is the rate (Hz) of the recording that was brought to 50: 0 where it is not known.
    """

    name: str
    subject: str
    action: str
    split: Literal["train", "test"]
    positions: np.ndarray
    cluster: str = ""
    recorded: float = 0.0

    @property
    def person(self) -> str:
        """Whom intervals draw: the cluster, else the subject."""
        return self.cluster or self.subject


@dataclass(frozen=True, eq=False)
class Motion:
    """Clips under one name, each with a name of its own, else BenchError.

    The fingerprint (12 hex digits) changes with anything in them.
    """

    name: str
    clips: tuple[Clip, ...]
    fingerprint: str = ""  # computed when left out

    def __post_init__(self) -> None:
        names = Counter(clip.name for clip in self.clips)
        if twice := [name for name, count in names.items() if count > 1]:
            raise BenchError(f"clips have the same name, {twice[0]!r}; expected each name once")
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", fingerprint(self.clips))

    def split(self, name: str) -> tuple[Clip, ...]:
        """The clips of "train" or "test"; BenchError if there is no such split or it is empty."""
        if name not in SPLITS:
            raise unknown("split", name, SPLITS)
        clips = tuple(clip for clip in self.clips if clip.split == name)
        if not clips:
            raise BenchError(
                f"motion {self.name!r} has no {name} clips; use the other split or other motion"
            )
        return clips


def join(motions: Sequence[Motion]) -> Motion:
    """Several motions as one; BenchError where somebody would be trained and tested on."""
    if len(motions) == 1:
        return motions[0]
    name = " + ".join(motion.name for motion in motions)
    clips = tuple(clip for motion in motions for clip in motion.clips)
    train, test = ({clip.subject for clip in clips if clip.split == split} for split in SPLITS)
    if both := train & test:
        raise BenchError(
            f"subject {min(both)!r} is in train and test of {name}; rename one of the two if they "
            "are not the same person, else leave out one data set"
        )
    return Motion(name, clips)


def fingerprint(clips: tuple[Clip, ...]) -> str:
    """First 12 hex digits of the SHA-256 over all that clips hold; BenchError for broken text."""
    digest = hashlib.sha256()
    for clip in clips:
        labels = (clip.name, clip.subject, clip.action, clip.split)
        labels += (clip.cluster,) if clip.cluster else ()
        try:
            digest.update("\0".join(labels).encode() + b"\0")
        except UnicodeEncodeError:  # half a surrogate pair, or a file name that is not UTF-8
            raise BenchError(
                f"clip {clip.name!r} of subject {clip.subject!r} doing {clip.action!r}: expected "
                "names that are Unicode text; rename it"
            ) from None
        digest.update(clip.positions.astype("<f4").tobytes())
    return digest.hexdigest()[:12]

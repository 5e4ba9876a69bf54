"""Clips: recordings of 3D joints, each of one subject, for training or for testing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from htpbench.errors import BenchError

SPLITS = ("train", "test")
FRAME_RATE = 50.0  # Hz, of every clip
FARTHEST = 1e6  # mm from the origin: 1 km, where float32 still tells 0.06 mm apart


@dataclass(frozen=True, eq=False)
class Take:
    """What one recording is: its name, whose it is, what is done in it, what it is for.

    `cluster` names subjects that may be one person, or act together: intervals draw them at once.
    `recorded` is the rate (Hz) of a recording that was brought to another: 0 where it was not, or
    it is not known.
    """

    name: str
    subject: str
    action: str
    split: Literal["train", "test"]
    trial: str = field(default="", kw_only=True)
    cluster: str = field(default="", kw_only=True)
    recorded: float = field(default=0.0, kw_only=True)

    @property
    def person(self) -> str:
        """Whom intervals draw: the cluster, else the subject."""
        return self.cluster or self.subject


@dataclass(frozen=True, eq=False)
class Clip(Take):
    """A take in the world: `positions` (N, 17, 3) float32, mm, z up, floor at 0, 50 Hz."""

    positions: np.ndarray


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

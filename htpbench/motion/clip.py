"""A recorded motion: clips of 3D joints, each of one subject, for training or for testing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from htpbench.errors import BenchError, unknown

SPLITS = ("train", "test")
FRAME_RATE = 50.0  # Hz, of every clip


@dataclass(frozen=True, eq=False)
class Clip:
    """One uncut recording: `positions` (N, 17, 3) float32, world frame, mm, z up, 50 Hz."""

    name: str
    subject: str
    action: str
    split: Literal["train", "test"]
    positions: np.ndarray


@dataclass(frozen=True, eq=False)
class Motion:
    """Clips under one name; the fingerprint (12 hex digits) changes with anything in them."""

    name: str
    clips: tuple[Clip, ...]
    fingerprint: str = ""  # computed when left out

    def __post_init__(self) -> None:
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


def fingerprint(clips: tuple[Clip, ...]) -> str:
    """First 12 hex digits of the SHA-256 over all that clips hold."""
    digest = hashlib.sha256()
    for clip in clips:
        told = (clip.name, clip.subject, clip.action, clip.split)
        digest.update("\0".join(told).encode() + b"\0")
        digest.update(clip.positions.astype("<f4").tobytes())
    return digest.hexdigest()[:12]

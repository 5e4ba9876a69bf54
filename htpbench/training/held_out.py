"""A training subject that is not trained on, to choose the best weights by."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.clip import Take
from htpbench.motion.dataset import Dataset, Motion
from htpbench.motion.views import Views


class HeldOut(Dataset):
    """One training subject of data that has cameras of its own, as if it were for testing."""

    def __init__(self, data: Dataset, subject: str) -> None:
        self.data, self.subject = data, subject
        self.name, self.card = f"{data.name}, {subject}", data.card
        self.fingerprint, self.detections = data.fingerprint, data.detections
        self.cameras, self.layout = data.cameras, data.layout  # type: ignore[misc]

    @property
    def splits(self) -> tuple[str, ...]:
        """See Dataset."""
        return ("test",)

    def takes(self, split: str) -> tuple[Take, ...]:
        """See Dataset."""
        if split != "test":
            raise BenchError(f"{self.name} is for testing alone; expected the split test")
        found = self.data.takes("train")
        return tuple(replace(one, split="test") for one in found if one.subject == self.subject)

    def views(
        self, split: str, source: str | None = None, cameras: str = "rotate", seed: int = 0
    ) -> Views:
        """See Dataset."""
        self.takes(split)
        views = self.data.views("train", source, cameras, seed)
        own = np.array([take.subject == self.subject for take in views.clips])
        return views.only(own[views.clip])


def held_out(data: Dataset, subject: str) -> Dataset:
    """A training subject's clips, as if they were for testing; BenchError where there is none."""
    if all(take.subject != subject for take in data.takes("train")):
        raise BenchError(f"{data.name} has no training subject {subject!r} to hold out")
    clips = data.motion("train")
    if clips is None:
        return HeldOut(data, subject)
    own = (replace(clip, split="test") for clip in clips if clip.subject == subject)
    return Motion(f"{data.name}, {subject}", own)


def typical(data: Dataset) -> str:
    """The training subject with the median number of frames; "" where none can be held out."""
    if "train" not in data.splits or "train" not in data.measured:
        return ""
    frames = Counter()
    clips = data.motion("train")
    if clips is not None:
        for clip in clips:
            frames[clip.subject] += len(clip.positions)
    else:
        views = data.views("train", cameras="rotate")
        for clip, length in zip(views.clip, views.stop - views.start, strict=True):
            frames[views.clips[clip].subject] += int(length)
    if len(frames) < 2:
        return ""
    return sorted(frames, key=lambda subject: (frames[subject], subject))[(len(frames) - 1) // 2]

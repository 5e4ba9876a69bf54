"""Training subjects that are not trained on, to choose the best weights by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.clip import Take
from htpbench.motion.dataset import Dataset, Motion
from htpbench.motion.views import Views


class HeldOut(Dataset):
    """Training subjects of data that has cameras of its own, as if they were for testing."""

    def __init__(self, data: Dataset, subjects: Sequence[str]) -> None:
        self.data, self.subjects = data, subjects
        self.name, self.card = called(data, subjects), data.card
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
        return tuple(replace(one, split="test") for one in found if one.subject in self.subjects)

    def views(
        self, split: str, source: str | None = None, cameras: str = "rotate", seed: int = 0
    ) -> Views:
        """See Dataset."""
        self.takes(split)
        views = self.data.views("train", source, cameras, seed)
        own = np.array([take.subject in self.subjects for take in views.clips])
        return views.only(own[views.clip])


def held_out(data: Dataset, subjects: Sequence[str]) -> Dataset:
    """Training subjects' clips, as if they were for testing; BenchError for one that is not."""
    known = {take.subject for take in data.takes("train")}
    for subject in subjects:
        if subject not in known:
            raise BenchError(f"{data.name} has no training subject {subject!r} to hold out")
    clips = data.motion("train")
    if clips is None:
        return HeldOut(data, subjects)
    own = (replace(clip, split="test") for clip in clips if clip.subject in subjects)
    return Motion(called(data, subjects), own)


def called(data: Dataset, subjects: Sequence[str]) -> str:
    """The name of subjects of a data set."""
    return ", ".join((data.name, *subjects))


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

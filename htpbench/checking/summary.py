"""What there is in data that its reader judges as it opens it: motion, and keypoints of a video."""

from __future__ import annotations

from htpbench.checking.verdict import Verdict
from htpbench.motion.dataset import Dataset
from htpbench.motion.video import Video


def summary(data: Dataset) -> list[Verdict]:
    """A line for each split: its clips, and what was put right."""
    return [
        Verdict("sound", False, f"{split}: sound: {', '.join([*held(data, split), *card(data)])}")
        for split in data.splits
    ]


def held(data: Dataset, split: str) -> list[str]:
    """What is in a split, in words."""
    takes = data.takes(split)
    if len(takes) == 1 and isinstance(takes[0], Video):
        return [f"a video of {len(takes[0].keypoints):,} frames"]
    clips, people = len(takes), len({take.subject for take in takes})
    said = [f"{clips:,} clip{'s' if clips != 1 else ''}"]
    if motion := data.motion(split):
        said.append(f"{sum(len(clip.positions) for clip in motion):,} frames")
    return [*said, f"{people} subject{'s' if people != 1 else ''}"]


def card(data: Dataset) -> list[str]:
    """What rows say of the data."""
    return [f"{key} {value}" for key, value in data.card.items()]

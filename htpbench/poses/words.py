"""What every file of poses says of its numbers, and text as such files can hold it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from htpbench.motion.skeleton import JOINTS, ROOT
from htpbench.outside.printable import shown
from htpbench.poses.track import Track

FORMAT = "htpbench poses"  # by which files of ours are known
UNITS = "mm"
AXES = "of the camera: x right, y down, z forward"
UPRIGHT = "x right, y up, z towards the camera"
RELATIVE = f"joint {ROOT} ({JOINTS[ROOT]})"
UP = np.array([1, -1, -1])  # camera axes times this are UPRIGHT


def told(tracks: Sequence[Track]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What is told of all tracks alike, and what else of each."""
    first, *others = (track.told for track in tracks)
    alike = {
        key: value
        for key, value in first.items()
        if all(key in each and each[key] == value for each in others)
    }
    rest = [{k: v for k, v in track.told.items() if k not in alike} for track in tracks]
    return alike, rest


def told_lines(tracks: Sequence[Track]) -> list[str]:
    """The same as lines of text."""
    alike, rest = told(tracks)
    lines = [f"{key}: {in_words(value)}" for key, value in alike.items()]
    for track, own in zip(tracks, rest, strict=True):
        lines += [f"{key} of {track.name}: {in_words(value)}" for key, value in own.items()]
    return [plain(line) for line in lines]


def in_words(value: Any) -> str:
    """A text as it is, all else as JSON."""
    return value if isinstance(value, str) else written(value)


def written(value: Any) -> str:
    """JSON that everybody can read: Unicode, without half characters of odd file names."""
    return unicode(json.dumps(value, ensure_ascii=False))


def unicode(text: str) -> str:
    """The text with "?" for what UTF-8 cannot say."""
    return text.encode(errors="replace").decode()


def plain(text: str) -> str:
    """The text on one line, without control characters."""
    return shown(" ".join(text.split()))

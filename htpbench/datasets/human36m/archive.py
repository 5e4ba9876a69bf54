"""Members of VideoPose3D's npz files: something for each subject and each action."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from htpbench.datasets.human36m.facts import SPLIT_OF, spelt
from htpbench.errors import BenchError
from htpbench.motion.members import opened
from htpbench.outside import files

QUOTED = 200  # characters of names in a message
ByClip = dict[str, dict[str, Any]]  # by subject and action key
EXPECTED = "expected what VideoPose3D's preparation writes: make the file with it anew"
HUMANEVA = (
    "this is HumanEva (15 joints, 60 Hz, other cameras), which is not read; expected Human3.6M"
)


def members(path: Path, *names: str) -> list[Any]:
    """What members of these names hold; BenchError names the file, and the members that it has."""
    files.checked(path)
    try:
        with opened(path) as archive:
            if missing := [name for name in names if name not in archive.names]:
                held = listed(set(archive.names))
                raise BenchError(f"lacks {', '.join(missing)} and holds {held}; {EXPECTED}")
            return [archive.value(name) for name in names]
    except BenchError as fault:
        raise BenchError(f"{path}: {fault}") from fault.__cause__


def by_clip(value: Any, path: Path, name: str) -> ByClip:
    """A member as dictionaries, of the subjects whose 3D is handed out; others are ignored."""
    if not isinstance(value, dict):
        raise BenchError(f"{path}: {name} is {kind(value)}; expected {{subject: {{action: ...}}}}")
    if any("/" in str(subject) for subject in value):
        raise BenchError(f"{path}: {HUMANEVA}")
    found: ByClip = {}
    for subject in SPLIT_OF:
        if subject not in value:
            continue
        clips = value[subject]
        if not isinstance(clips, dict):
            raise BenchError(
                f"{path}: {name} of {subject} is {kind(clips)}; expected {{action: ...}}"
            )
        if any("chunk" in str(key) for key in clips):
            raise BenchError(f"{path}: {HUMANEVA}")
        found[subject] = {spelt(key): one for key, one in clips.items() if isinstance(key, str)}
    if not found:
        raise BenchError(
            f"{path}: {name} has the subjects {listed(value)}; expected some of "
            f"{', '.join(SPLIT_OF)}"
        )
    return found


def listed(names: Any) -> str:
    """Names in a message, or "nothing"."""
    return ", ".join(sorted(map(str, names)))[:QUOTED] or "nothing"


def kind(value: Any) -> str:
    """What a value is, in a message: its type and, of an array, its shape."""
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" if shape is None else f"an array of shape {shape}"

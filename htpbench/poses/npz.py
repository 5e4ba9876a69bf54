"""Poses as npz: for numpy, with all that there is. Tracks end to end; a track is a view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from htpbench.errors import BenchError
from htpbench.poses import layout
from htpbench.poses.track import Track
from htpbench.poses.unpack import NUMBERS, WHOLE, members, unpack
from htpbench.poses.words import AXES, FORMAT, RELATIVE, UNITS, told, unicode, written

ALWAYS = ("poses", "frame", "view", "clip", "camera", "conditions")
KINDS = {  # kinds of dtypes; poses alone must be there, and the rate in what others write
    **dict.fromkeys(("poses", "truth", "keypoints", "rate", "window_rate"), NUMBERS),
    **dict.fromkeys(("frame", "view", "camera", "size", "window_first", "window_view"), WHOLE),
    **{"clip": "U", "conditions": "U", "kept": "b"},
}
ABOUT = f"{FORMAT}; units: {UNITS}; axes: {AXES}; relative to {RELATIVE}"


def write(file: IO[bytes], tracks: Sequence[Track]) -> str:
    """Write tracks; nothing is left to say."""
    np.savez_compressed(file, **arrays(tracks))  # type: ignore[arg-type]
    return ""


def arrays(tracks: Sequence[Track]) -> dict[str, np.ndarray]:
    """What the file holds; truth and keypoints only where all tracks have them."""
    lengths = [len(track.poses) for track in tracks]
    alike, rest = told(tracks)
    found = {
        "poses": joined([track.poses for track in tracks]),
        "frame": np.concatenate([np.arange(len(t.poses)) + t.first for t in tracks]),
        "view": np.repeat(np.arange(len(tracks)), lengths),
        "clip": np.array([unicode(track.name) for track in tracks]),
        "camera": np.array([track.camera for track in tracks]),
        "conditions": np.array(written(alike | ({layout.APART: rest} if any(rest) else {}))),
        "rate": np.array([track.rate for track in tracks], np.float64),
        "about": np.array(ABOUT),
    }
    truth = [track.truth for track in tracks if track.truth is not None]
    seen = [t.keypoints for t in tracks if t.keypoints is not None and t.size is not None]
    if len(truth) == len(tracks):
        found["truth"] = joined(truth)
    if len(seen) == len(tracks):
        found["keypoints"] = joined(seen)
        found["size"] = np.array([track.size for track in tracks])
    return found | windows(tracks)


def joined(each: Sequence[np.ndarray]) -> np.ndarray:
    """(N, 17, 3) float32, end to end."""
    return np.concatenate(each).astype(np.float32, copy=False)


def windows(tracks: Sequence[Track]) -> dict[str, np.ndarray]:
    """Which frames were kept of the windows of all tracks; empty where none was pruned."""
    held = [(view, track.kept) for view, track in enumerate(tracks) if track.kept is not None]
    if not held:
        return {}
    if len({(*kept.stages.shape[::2], kept.rate) for _, kept in held}) > 1:
        raise BenchError(
            "tracks pruned in unlike stages, windows or rates; expected those of one network; "
            "write a file for each, or .json"
        )
    return {
        "kept": np.concatenate([kept.stages for _, kept in held], axis=1),
        "window_first": np.concatenate([kept.first for _, kept in held]),
        "window_view": np.repeat([view for view, _ in held], [len(k.first) for _, k in held]),
        "window_rate": np.array(held[0][1].rate),
    }


def ours(path: Path) -> bool:
    """Whether a file holds what is written here, or was before rates were told, and no more."""
    held = members(path)
    return set(ALWAYS) <= held <= {*KINDS, "about"}


def read(path: Path) -> list[Track]:
    """The tracks of a file, also of one that holds poses and their rate and nothing else."""
    return layout.tracks(unpack(path, KINDS, ("poses",)), path.stem)

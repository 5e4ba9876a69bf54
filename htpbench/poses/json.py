"""Poses as JSON: one object that says all that there is, numbers rounded to 0.01 mm."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.skeleton import JOINTS, PARENTS
from htpbench.outside import files
from htpbench.poses import sound
from htpbench.poses.track import Kept, Track
from htpbench.poses.words import AXES, FORMAT, RELATIVE, UNITS, unicode, written

HEAD = {
    "format": FORMAT,
    "units": UNITS,
    "axes": AXES,
    "relative_to": RELATIVE,
    "joints": list(JOINTS),
    "parents": list(PARENTS),
}
START = json.dumps({"format": FORMAT})[:-1]  # by which a file of ours is known
MOST_BYTES = 2**27  # of a file that is read; half an hour of poses with all else
DIGITS = {"poses": 2, "truth": 2, "keypoints": 4}


def write(file: IO[bytes], tracks: Sequence[Track]) -> str:
    """Write tracks, one a line; nothing is left to say."""
    file.write(f'{written(HEAD)[:-1]}, "tracks": [\n'.encode())
    for number, track in enumerate(tracks):
        file.write(f"{',' * (number > 0)}{written(described(track))}\n".encode())
    file.write(b"]}\n")
    return ""


def described(track: Track) -> dict[str, Any]:
    """A track as numbers, texts, lists and objects; what is not known is left out."""
    found: dict[str, Any] = {
        "name": track.name,
        "rate": float(track.rate),
        "first": int(track.first),
        "camera": int(track.camera),
        "told": track.told,
    }
    if track.size is not None:
        found["size"] = [int(side) for side in track.size]
    if track.kept is not None:
        found["kept"] = {
            "rate": float(track.kept.rate),
            "first": track.kept.first.tolist(),
            "stages": [["".join(map(str, w)) for w in s] for s in track.kept.stages.astype(int)],
        }
    for key, digits in DIGITS.items():
        if key == "keypoints" and track.size is None:
            continue  # pixels of no image
        if (array := getattr(track, key)) is not None:
            found[key] = (np.round(array.astype(np.float64), digits) + 0.0).tolist()
    return found


def ours(path: Path) -> bool:
    """Whether a file begins as those that are written here."""
    with path.open("rb") as file:
        return file.read(len(START)) == START.encode()


def read(path: Path) -> list[Track]:
    """The tracks of a file; BenchError for the first fault."""
    try:
        size = files.checked(path, MOST_BYTES).stat().st_size  # as much is read, and taken for it
        held = files.parse_json(files.content(path, size))
    except ValueError as error:
        raise BenchError(f"not valid JSON: {error!s:.200}; {sound.AGAIN}") from error
    if not isinstance(held, dict) or held.get("format") != FORMAT or held.get("units") != UNITS:
        raise BenchError(
            f'no poses of ours; expected an object with "format": "{FORMAT}" and "units": '
            f'"{UNITS}"; {sound.DESCRIBED}. Keypoints are named keypoints:FILE,size=WxH,fps=N'
        )
    listed = held.get("tracks")
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise BenchError(f'"tracks" is no list of objects; {sound.DESCRIBED}')
    sound.count(len(listed))
    return [track(each, number, path.stem) for number, each in enumerate(listed)]


def track(told: dict[str, Any], number: int, usual: str) -> Track:
    """One of the tracks; `usual`: its name where none is told."""
    if missing := [key for key in ("rate", "poses") if told.get(key) is None]:
        raise BenchError(f"track {number} lacks {', '.join(missing)}; {sound.DESCRIBED}")
    arrays = {key: array(key, told[key]) for key in DIGITS if told.get(key) is not None}
    kept, size, name = told.get("kept"), told.get("size"), told.get("name", usual)
    if not isinstance(name, str) or not isinstance(told.get("told", {}), dict):
        raise BenchError(f'track {number}: "name" is no text or "told" no object; mend it')
    return sound.track(
        name=unicode(name),
        rate=array("rate", told["rate"]),
        first=array("first", told.get("first", 0)),
        camera=array("camera", told.get("camera", 0)),
        size=None if size is None else array("size", size),
        told=told.get("told", {}),
        kept=None if kept is None else windows(kept),
        **arrays,
    )


def array(key: str, told: Any) -> np.ndarray:
    """Numbers in lists, as an array."""
    try:
        return np.array(told, np.float64)
    except (ValueError, TypeError, OverflowError):  # unlike lengths, texts, objects, 1e999 as int
        raise BenchError(f'"{key}" is no table of numbers; {sound.DESCRIBED}') from None


def windows(told: Any) -> Kept:
    """What was kept, from texts of 0 and 1, one a window."""
    try:
        stages = [[[int(sign) for sign in window] for window in stage] for stage in told["stages"]]
        flags = np.array(stages, np.int8)
        first, rate = told["first"], told["rate"]
    except (ValueError, TypeError, KeyError, OverflowError):
        raise BenchError(f'"kept" is no object of rate, first and stages; {sound.KEPT}') from None
    return sound.kept(flags, array("first", first), array("rate", rate))

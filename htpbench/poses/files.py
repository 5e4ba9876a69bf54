"""Tracks of poses as files: by the suffix of a path, written whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np

from htpbench.errors import BenchError
from htpbench.outside.drafts import draft
from htpbench.outside.files import faults_named
from htpbench.poses import bvh, csv, json, npz, trc
from htpbench.poses.replacing import foreign
from htpbench.poses.track import Track

FORMATS = {".npz": npz, ".json": json, ".csv": csv, ".trc": trc, ".bvh": bvh}
SINGLE = (".trc", ".bvh")  # hold one track
READ = (".npz", ".json")
REMEDY = "choose another --out"


def check(path: Path, count: int) -> None:
    """BenchError where `count` tracks cannot become the file `path`; called before long work.

    Nothing but poses of ours is replaced: what else is there stays, links and folders too.
    """
    found = written_as(path)
    if count < 1:
        raise BenchError(f"--out {path}: there are no poses to write; expected one track at least")
    if count > 1 and path.suffix.lower() in SINGLE:
        raise BenchError(
            f"--out {path}: {count} tracks; expected one in a {path.suffix} file; write all of "
            "them to .npz, .json or .csv, or name data of one clip"
        )
    if foreign(path, found.ours):
        raise BenchError(f"--out {path} is there and holds no lifted poses; {REMEDY}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror or error}; {REMEDY}") from error


def write(path: Path, tracks: Sequence[Track]) -> str:
    """Write all tracks or nothing; says what the format changed of them, if anything ("")."""
    check(path, len(tracks))
    for track in tracks:
        held = [one for one in (track.poses, track.truth, track.keypoints) if one is not None]
        if not len(track.poses) or not all(np.isfinite(one).all() for one in held):
            raise BenchError(
                f"--out {path}: {track.name} has no poses, or NaN or infinity in what it holds; "
                "expected numbers; lift with other weights or other data"
            )
    with draft(path, REMEDY) as file:
        said = written_as(path).write(file, tracks)
        check(path, len(tracks))  # writing is long
    return said


def read(path: Path) -> list[Track]:
    """The tracks of a file from anywhere: nothing in it is trusted; BenchError names the fault."""
    suffix = path.suffix.lower()
    if suffix not in READ:
        raise BenchError(f"{path}: view reads .npz and .json; lift to one of them: --out poses.npz")
    with faults_named(path):
        return FORMATS[suffix].read(path)


def written_as(path: Path) -> ModuleType:
    """The format that a path's suffix names."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise BenchError(f"--out {path}: expected a path that ends in {', '.join(FORMATS)}")
    return found

"""Which scheme a path is data of: by what it holds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from htpbench.datasets.human36m.facts import ARCHIVE
from htpbench.datasets.human36m.handed_out import FOLDER
from htpbench.errors import BenchError
from htpbench.motion.members import opened
from htpbench.outside import files
from htpbench.systems.registry import DATASETS

LOOKED_AT = 10_000  # files and folders below one
EXPECTED = (
    f"expected a folder with {ARCHIVE}, *.pkl, data_test_3dhp.npz, {FOLDER}, *.bvh or "
    "*_keypoints.json, or one such file, an .npz or a .json; else name it SCHEME:PATH"
)
SUFFIXES = {".pkl": "motionbert", ".bvh": "bvh", ".json": "keypoints", ".npy": "keypoints"}
MEMBERS = (  # of an npz: the first that it has all of
    ({"data"}, "3dhp"),
    ({"positions", "clip_start"}, "npz"),
    ({"keypoints"}, "keypoints"),
    ({"reconstruction"}, "keypoints"),
    ({"positions_2d"}, "keypoints"),
)


def recognised(text: str) -> str:
    """What `--data` would be told of a path, or of a name that says its scheme already.

    Options behind the path, `,name=value`, stay. BenchError for what is not there, and for what
    is no data that is known.
    """
    scheme = text.partition(":")[0].replace("-", "_")
    if text == "synthetic" or (":" in text and scheme in DATASETS.names()):
        return text
    path, *options = re.split(r",(?=[\w-]+=)", text)
    if os.path.exists(text):
        path, options = text, []
    place = Path(path)
    if not os.path.exists(place):
        raise BenchError(f"there is nothing at {path} that can be read; {EXPECTED}")
    if os.path.isdir(place):
        scheme, place = of_folder(place)
    else:
        scheme, place = of_file(place)
    return ",".join([f"{scheme.replace('_', '-')}:{place}", *options])


def of_folder(folder: Path) -> tuple[str, Path]:
    """The scheme of a folder, by what lies in it, or in the folders in it."""
    inside = files.listed(folder)
    names = {path.name for path in inside}
    if ARCHIVE in names:
        return "h36m", folder
    if any("3dhp" in name and name.endswith(".npz") for name in names):
        return "3dhp", folder
    whole = sorted(path for path in inside if path.name.lower().endswith(".pkl"))
    if len(whole) == 1:  # beside slices of it
        return "motionbert", whole[0]
    below = [folder, *islice(within(folder), LOOKED_AT)]
    if any(path.name == FOLDER for path in below):
        return "h36m_raw", folder
    for ending, scheme in (
        (".pkl", "motionbert"),
        (".bvh", "bvh"),
        ("_keypoints.json", "keypoints"),
    ):
        if any(path.name.lower().endswith(ending) for path in below):
            return scheme, folder
    held = ", ".join(sorted(names)[:5]) or "nothing"
    raise BenchError(f"{folder} holds {held}: no data that is known; {EXPECTED}")


def within(folder: Path) -> Iterator[Path]:
    """What lies in a folder and in those in it."""
    for parent, folders, names in os.walk(folder):
        yield from (Path(parent, name) for name in [*folders, *names])


def of_file(place: Path) -> tuple[str, Path]:
    """The scheme of a file, and the folder where that is what the scheme reads."""
    if re.fullmatch(r"data_[23]d_h36m.*\.npz", place.name):
        return "h36m", place.parent
    if place.suffix.lower() == ".npz":
        return of_npz(place), place
    if place.suffix.lower() not in SUFFIXES:
        raise BenchError(f"{place} is no data that is known; {EXPECTED}")
    return SUFFIXES[place.suffix.lower()], place


def of_npz(place: Path) -> str:
    """The scheme of an npz, by the arrays in it."""
    try:
        with opened(place) as members:
            names = {*members.names}
    except BenchError as fault:
        raise BenchError(f"{place}: {fault}") from fault.__cause__
    for needed, scheme in MEMBERS:
        if needed <= names:
            return scheme
    return "keypoints" if len(names) == 1 else "npz"  # which say what they miss

"""Arrays of an npz from anywhere: those that are known, each of its kind."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.members import Members, opened
from htpbench.outside import files
from htpbench.poses.sound import DESCRIBED

MOST_BYTES = 2**31  # of all arrays; three days of poses
MOST_CHARACTERS = 2**10  # of a name
MOST_LISTED = 300  # characters of the names that a message lists
NUMBERS, WHOLE = "fiu", "iu"  # kinds of dtypes
KINDS = {NUMBERS: "numbers", WHOLE: "whole numbers", "U": "text", "b": "true or false"}


def members(path: Path) -> set[str]:
    """The names of what an npz holds; empty where it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except Exception:  # zipfile fails in a dozen ways on what is none
        return set()


def unpack(path: Path, kinds: Mapping[str, str], needed: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of a file that `kinds` names, each of a kind of dtype that it tells."""
    with opened(files.checked(path), MOST_BYTES) as held:
        if missing := [key for key in needed if key not in held.names]:
            listed = ", ".join(sorted(held.names))[:MOST_LISTED] or "nothing"
            raise BenchError(f"lacks {', '.join(missing)} and holds {listed}; {DESCRIBED}")
        return {key: one(held, key, kinds[key]) for key in kinds if key in held.names}


def one(held: Members, key: str, kinds: str) -> np.ndarray:
    """An array of one of these kinds."""
    dtype, shape = held.header(key)
    if dtype.kind not in kinds:
        raise BenchError(f"{key} is {dtype!s:.40}; expected {KINDS[kinds]}; {DESCRIBED}")
    if dtype.kind == "U" and shape and dtype.itemsize > 4 * MOST_CHARACTERS:
        raise BenchError(f"{key} has texts of more than {MOST_CHARACTERS} characters; shorten them")
    return held.plain(key)

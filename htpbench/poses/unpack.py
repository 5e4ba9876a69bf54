"""Arrays of an npz from anywhere: no pickles, and no memory for what a header merely claims."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from htpbench.errors import BenchError
from htpbench.outside import files
from htpbench.poses.sound import AGAIN, DESCRIBED

MOST_BYTES = 2**31  # of all arrays; three days of poses
MOST_PACKED = 20  # how many times larger than the file arrays may be; frames kept pack well
ALWAYS_BYTES = 2**24  # that any file may unpack to, however small it is
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
    size = files.checked(path).stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            held = {name.removesuffix(".npy") for name in archive.namelist() if name[-4:] == ".npy"}
            if missing := [key for key in needed if key not in held]:
                listed = ", ".join(sorted(held))[:MOST_LISTED] or "nothing"
                raise BenchError(f"lacks {', '.join(missing)} and holds {listed}; {DESCRIBED}")
            room = min(MOST_BYTES, ALWAYS_BYTES + MOST_PACKED * size)
            found = {}
            for key in kinds:
                if key in held:
                    found[key] = one(archive, key, kinds[key], room)
                    room -= found[key].nbytes
            return found
    except BenchError:
        raise
    except Exception as fault:  # zipfile and numpy fail in a dozen ways on damaged bytes
        said = f"{fault!s:.200}"
        raise BenchError(f"not a readable npz, perhaps cut short ({said}); {AGAIN}") from fault


def one(archive: zipfile.ZipFile, key: str, kinds: str, room: int) -> np.ndarray:
    """An array of at most `room` bytes."""
    member = archive.getinfo(f"{key}.npy")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BenchError(f"{key} is packed in another way than numpy.savez does; use that")
    with archive.open(member) as stream:
        dtype, shape = header(stream, key)
    if dtype.kind not in kinds:
        raise BenchError(f"{key} is {dtype!s:.40}; expected {KINDS[kinds]}; {DESCRIBED}")
    if dtype.kind == "U" and shape and dtype.itemsize > 4 * MOST_CHARACTERS:
        raise BenchError(f"{key} has texts of more than {MOST_CHARACTERS} characters; shorten them")
    size = dtype.itemsize * math.prod(shape)
    if size > member.file_size or size > room:
        raise BenchError(
            f"{key} claims {size} bytes, more than it holds or a file of this size may; {AGAIN}"
        )
    with archive.open(member) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def header(stream: IO[bytes], key: str) -> tuple[np.dtype, tuple[int, ...]]:
    """dtype and shape that an array claims to have."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # others have headers of gigabytes, read before they are judged
        raise BenchError(f"{key} has npy version {version}; expected 1.0, as numpy.savez writes it")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return dtype, shape

"""One CDF of `D3_Positions`: the poses of a take, read by cdflib with nothing trusted.

cdflib believes what a file says of itself, so it is given the content alone, read a bounded number
of times, after all that is packed in it was seen to unpack to a bounded size.
"""

from __future__ import annotations

import io
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.h36m import ALL_JOINTS
from htpbench.outside import files

MOST_BYTES = 2**26  # of a file; those of Human3.6M have a few millions
ALWAYS, PACKED = 2**24, 20  # bytes that any file may unpack to, and how many times its own size
READS, SLACK = 2**15, 2**16  # how often a file may be read, and bytes beyond four times its size
PLAIN, WHOLLY = b"\0\0\xff\xff", b"\xcc\xcc\0\1"  # not compressed, and as a whole
GZIP = b"\x1f\x8b\x08"
STARTS = {b"\xcd\xf3\0\1": 40, b"\xcd\xf2\x60\2": 28}  # versions; where what is packed begins
VARIABLE = "Pose"
AGAIN = "copy the file again"


def poses(path: Path) -> np.ndarray:
    """(N, 32, 3) mm of a file; BenchError names the file and its fault."""
    content = files.content(path, MOST_BYTES)
    try:
        return of_bytes(content)
    except BenchError as fault:
        raise BenchError(f"{path}: {fault}") from fault.__cause__
    except Exception as fault:  # cdflib fails in a dozen ways on damaged bytes
        said = f"{type(fault).__name__}: {fault}"
        raise BenchError(f"{path}: not a readable CDF ({said:.200}); {AGAIN}") from fault


def of_bytes(content: bytes) -> np.ndarray:
    """(N, 32, 3) of what a file holds."""
    most = ALWAYS + PACKED * len(content)
    content = plain(content, most)
    file = reader(Guarded(content))
    told = file.varinq(VARIABLE)
    # (1, N, 96), as dimensions of 1 record; also N records of 96 numbers
    sizes = [int(size) for size in (told.Last_Rec + 1, *told.Dim_Sizes)]
    if math.prod(sizes) * 8 > most or any(size < 0 for size in sizes):
        raise BenchError(f"{VARIABLE} claims {sizes} numbers in {len(content)} bytes; {AGAIN}")
    found = np.asarray(file.varget(VARIABLE))
    count = ALL_JOINTS * 3
    found = found[0] if found.ndim == 3 and len(found) == 1 else found  # (1, N, 96) -> (N, 96)
    if found.dtype.kind != "f" or found.ndim != 2 or found.shape[1] != count:
        raise BenchError(
            f"{VARIABLE} is {found.dtype} {found.shape}; expected 3D positions of {ALL_JOINTS} "
            f"joints, (1, frames, {count}), as D3_Positions have them"
        )
    return found.reshape(-1, ALL_JOINTS, 3)  # (N, 96) -> (N, 32, 3)


def plain(content: bytes, most: int) -> bytes:
    """What a file holds, without the compression of the whole; all else in it is bounded too."""
    start = STARTS.get(content[:4])
    if start is None or content[4:8] not in (PLAIN, WHOLLY):
        raise BenchError("no CDF: it begins with other bytes; expected a file of D3_Positions")
    if content[4:8] == WHOLLY:
        content = content[:4] + PLAIN + unpacked(content, start, most)
    room, at = most, content.find(GZIP)
    while at >= 0:  # records may be packed one by one, and cdflib unpacks each without a bound
        try:
            room -= len(unpacked(content, at, room))
        except zlib.error:  # numbers that look alike
            room -= 2**20
        if room < 0:
            raise BenchError("holds too much that looks packed; expected positions alone")
        at = content.find(GZIP, at + 1)
    return content


def unpacked(content: bytes, start: int, most: int) -> bytes:
    """What a gzip member within a file unpacks to."""
    found = zlib.decompressobj(wbits=31).decompress(memoryview(content)[start:], most + 1)
    if len(found) > most:
        raise BenchError(f"unpacks to more than {most} bytes; {AGAIN}")
    return found


class Guarded(io.BytesIO):
    """A file that is read a bounded number of times: offsets in it may lead in circles."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.reads, self.room = READS, SLACK + 4 * len(content)

    def read(self, size: int | None = -1, /) -> bytes:
        """See BytesIO."""
        found = super().read(size)
        self.reads -= 1
        self.room -= len(found)
        if self.reads < 0 or self.room < 0:
            raise BenchError(f"what it says of itself leads in circles; {AGAIN}")
        return found


def reader(file: Guarded) -> Any:
    """A cdflib.CDF of a file that is open."""
    try:
        import cdflib
    except ImportError as error:
        raise BenchError(
            "CDF files are read by cdflib, which is not here: pip install htpbench[cdf]"
        ) from error

    class Held(cdflib.CDF):
        """Reads what is held instead of opening a path."""

        def _file_or_url_or_s3_handler(
            self, filename: str, filetype: str, s3_read_method: int
        ) -> Any:
            return file

    return Held(__file__)  # a path that exists; it is not opened

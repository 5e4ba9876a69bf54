"""One CDF of `D3_Positions`: the poses of a take, read by cdflib with nothing trusted.

cdflib believes what a file says of itself, and counts and unpacks as far as the file says. So it
is given the content alone, after all that is packed in it was seen to unpack to a bounded size, and
its steps are counted.
"""

from __future__ import annotations

import io
import math
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.datasets.human36m.facts import ALL_JOINTS
from htpbench.errors import BenchError
from htpbench.outside import files

MOST_BYTES = 2**26  # of a file; those of Human3.6M have a few millions
ALWAYS, PACKED = 2**24, 20  # bytes that any file may unpack to, and how many times its own size
SLACK = 2**16  # bytes that may be read of a file beyond four times its size
STEPS = 2**18  # lines of Python that reading may take; usual files need some hundreds
FLOATS = (21, 22, 44, 45)  # CDF_REAL4, CDF_REAL8, CDF_FLOAT, CDF_DOUBLE
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
    make = reader()
    with counted(STEPS):
        file = make(Guarded(content))
        told = file.varinq(VARIABLE)
        # 1 record of (N, 96) as a rule; also N records of 96 numbers
        sizes = [int(size) for size in (told.Last_Rec + 1, *told.Dim_Sizes)]
        if math.prod(sizes) * 8 > most or any(size < 0 for size in sizes):
            raise BenchError(f"{VARIABLE} claims {sizes} numbers; {AGAIN}")
        if told.Data_Type not in FLOATS:
            raise BenchError(f"{VARIABLE} is {told.Data_Type_Description}; expected CDF_FLOAT")
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
        content = content[:4] + PLAIN + unpacked(content, start, most, whole=True)
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


def unpacked(content: bytes, start: int, most: int, whole: bool = False) -> bytes:
    """What a gzip member within a file unpacks to; whole: BenchError where its end is missing."""
    packed = zlib.decompressobj(wbits=31)
    found = packed.decompress(memoryview(content)[start:], most + 1)
    if len(found) > most:
        raise BenchError(f"unpacks to more than {most} bytes; {AGAIN}")
    if whole and not packed.eof:
        raise BenchError(f"cut short; {AGAIN}")
    return found


@contextmanager
def counted(steps: int) -> Iterator[None]:
    """BenchError where what is done within takes more lines of Python."""

    def step(*_: Any) -> Any:
        nonlocal steps
        steps -= 1
        if steps < 0:
            raise BenchError(f"what it says of itself has no end; {AGAIN}")
        return step

    before = sys.gettrace()
    sys.settrace(step)
    try:
        yield
    finally:
        sys.settrace(before)


class Guarded(io.BytesIO):
    """A file that is read as far as it goes, and of which little more than all is read.

    cdflib takes zeros for what is missing, and may be led to the same part again and again.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.room = SLACK + 4 * len(content)

    def read(self, size: int | None = -1, /) -> bytes:
        """See BytesIO."""
        found = super().read(size)
        if size is not None and len(found) < size:
            raise BenchError(f"cut short; {AGAIN}")
        self.room -= len(found)
        if self.room < 0:
            raise BenchError(f"it leads in circles; {AGAIN}")
        return found


def reader() -> Callable[[Guarded], Any]:
    """What makes a cdflib.CDF of a file that is open."""
    try:
        import cdflib
    except ImportError as error:
        raise BenchError(
            "CDF files are read by cdflib, which is not here: pip install htpbench[cdf]"
        ) from error

    class Held(cdflib.CDF):
        """Reads what is held instead of opening a path."""

        def __init__(self, file: Guarded) -> None:
            self.held = file
            super().__init__(__file__)  # a path that exists; it is not opened

        def _file_or_url_or_s3_handler(
            self, filename: str, filetype: str, s3_read_method: int
        ) -> Any:
            return self.held

    return Held

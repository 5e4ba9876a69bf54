"""Members of an npz, read with nothing trusted: no pickle is run, and sizes are proven first."""

from __future__ import annotations

import math
import os
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion import arrays

MOST_BYTES = 2**30  # of all arrays; positions of 29 hours
MOST_PACKED = 20  # how many times larger than the file arrays may be; motion packs 1.4 times
ALWAYS_BYTES = 2**24  # that any file may unpack to, however small it is
AGAIN = "copy the file again"


class Members:
    """The arrays of an open npz by their names; all that is read comes out of one allowance."""

    def __init__(self, archive: zipfile.ZipFile, file_size: int, most: int = MOST_BYTES) -> None:
        self.archive, self.file_size = archive, file_size
        self.most = self.room = min(most, ALWAYS_BYTES + MOST_PACKED * file_size)
        self.names = [name.removesuffix(".npy") for name in archive.namelist()]

    def info(self, key: str) -> zipfile.ZipInfo:
        """Where a member lies; BenchError for one that is packed without a bound."""
        member = self.archive.getinfo(f"{key}.npy")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BenchError(f"{key} is packed in another way than numpy.savez does; use that")
        return member

    def header(self, key: str) -> tuple[np.dtype, tuple[int, ...]]:
        """dtype and shape that an array claims to have."""
        with self.archive.open(self.info(key)) as stream:
            return header(stream, key)

    def claim(self, key: str, size: int) -> None:
        """Take bytes out of the allowance; BenchError where a member has less, or too much."""
        self.room -= size
        if size > self.info(key).file_size or self.room < 0:
            raise BenchError(
                f"{key} claims {size} bytes, more than it holds or than is allowed: {self.most} in "
                f"all for a file of {self.file_size}; {AGAIN}"
            )

    def plain(self, key: str) -> np.ndarray:
        """An array of numbers or of text."""
        dtype, shape = self.header(key)
        self.claim(key, dtype.itemsize * math.prod(shape))
        with self.archive.open(self.info(key)) as stream, quiet():
            return np.lib.format.read_array(stream, allow_pickle=False)

    def value(self, key: str) -> Any:
        """An array, or what an array of objects holds: see `motion/arrays.py`."""
        dtype, _ = self.header(key)
        if not dtype.hasobject:
            return self.plain(key)
        size = self.info(key).file_size
        self.claim(key, size)
        with self.archive.open(self.info(key)) as stream:
            header(stream, key)
            program = stream.read(size)
        try:
            return arrays.load(program, self.file_size)
        except BenchError as fault:
            raise BenchError(f"{key}: {fault}") from fault.__cause__


@contextmanager
def opened(path: Path, most: int = MOST_BYTES) -> Iterator[Members]:
    """The members of an npz; whatever is wrong with the file becomes a BenchError without it."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):  # whoever opens a FIFO waits
            raise BenchError("expected a regular file, no folder, FIFO or device")
        with zipfile.ZipFile(path) as archive:
            yield Members(archive, path.stat().st_size, most)
    except BenchError:
        raise
    except Exception as fault:  # zipfile and numpy fail in a dozen ways on damaged bytes
        raise BenchError(
            f"not a readable npz, perhaps cut short ({fault!s:.200}); {AGAIN}"
        ) from fault


def header(stream: IO[bytes], key: str) -> tuple[np.dtype, tuple[int, ...]]:
    """dtype and shape at the start of an array."""
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):  # others have headers of gigabytes, read before they are judged
        raise BenchError(f"{key} has npy version {version}; expected 1.0, as numpy.savez writes it")
    with quiet():
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return dtype, shape


@contextmanager
def quiet() -> Iterator[None]:
    """Without numpy's words on headers that Python 2 wrote."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield

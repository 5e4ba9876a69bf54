"""Files that appear whole or not at all, and lines that are added to one."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from htpbench.errors import BenchError

REMEDY = "free or mend the folder, or choose another folder"


@contextmanager
def draft(path: Path, remedy: str = REMEDY) -> Iterator[IO[bytes]]:
    """A new file beside `path` that takes its place when the block ends well, else goes.

    Its name is nobody else's, so that two writers do not meet and no link is followed; readers see
    the old file or the new one. BenchError where it cannot be written.
    """
    hidden = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with hidden.open("xb") as file:
            yield file
        os.replace(hidden, path)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error
    finally:
        with suppress(OSError):
            hidden.unlink(missing_ok=True)


def write_file(path: Path, content: bytes, remedy: str = REMEDY) -> Path:
    """Write all of a file or nothing; returns its path."""
    with draft(path, remedy) as file:
        file.write(content)
    return path


def append_line(path: Path, text: str, remedy: str = REMEDY) -> None:
    """Append a line that is on the disk when this returns; one that a kill cut stays apart."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            if file.seek(0, os.SEEK_END):
                file.seek(-1, os.SEEK_END)
                text = text if file.read(1) == b"\n" else f"\n{text}"
            file.write(f"{text}\n".encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error

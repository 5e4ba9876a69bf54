"""Files that appear whole or not at all."""

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

"""Which files may be replaced: those that were made here, by a mark that they bear."""

from __future__ import annotations

import os
from pathlib import Path

from htpbench.errors import BenchError

ENDS = 4096  # bytes at either end of a file, in one of which the mark stands


def replaceable(path: Path, mark: bytes, kind: str) -> None:
    """BenchError where a path is anything but new or a file with the mark."""
    if not os.path.lexists(path):
        return
    held = b""
    if path.is_file() and not path.is_symlink():
        try:
            with path.open("rb") as file:
                held = file.read(ENDS)
                file.seek(-min(ENDS, path.stat().st_size), os.SEEK_END)
                held += file.read(ENDS)
        except OSError as error:
            raise BenchError(f"{path}: {error.strerror}") from error
    if mark not in held:
        raise BenchError(f"{path} is there and is no {kind} of htpbench view; name another file")

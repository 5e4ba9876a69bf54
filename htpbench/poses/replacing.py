"""Which files may be replaced: those that were made here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from htpbench.errors import BenchError

ENDS = 4096  # bytes at either end of a file, in one of which the mark stands


def foreign(path: Path, ours: Callable[[Path], bool]) -> bool:
    """Whether a path is anything but new or a file that is ours: links and folders too."""
    if not os.path.lexists(path):
        return False
    try:
        return not (path.is_file() and not path.is_symlink() and ours(path))
    except OSError:
        return True


def replaceable(path: Path, mark: bytes, kind: str) -> None:
    """BenchError where a path is anything but new or a file with the mark."""
    if foreign(path, lambda path: bears(path, mark)):
        raise BenchError(f"{path} is there and is no {kind} of htpbench view; name another file")


def bears(path: Path, mark: bytes) -> bool:
    """Whether a file has the mark near either end."""
    with path.open("rb") as file:
        held = file.read(ENDS)
        file.seek(-min(ENDS, path.stat().st_size), os.SEEK_END)
        return mark in held + file.read(ENDS)

"""Fingerprints of files whose arrays are too many to be hashed one by one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from htpbench.outside import files

BLOCK = 2**20  # bytes read at once


def printed(paths: Iterable[Path], *options: object) -> str:
    """12 hex digits of the SHA-256 of what files hold, and of options that change what is read."""
    whole = hashlib.sha256(repr(options).encode())
    for path in paths:
        with files.opened(path) as file:
            held = hashlib.sha256()
            while block := file.read(BLOCK):
                held.update(block)
        whole.update(held.digest())
    return whole.hexdigest()[:12]

"""What a process that waits says, once, after two seconds: for what, and for whom."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from htpbench.outside.passwords import hidden
from htpbench.outside.printable import one_line, shown

PATIENCE_S = 2.0
PAUSE_S = 0.05  # between two looks
LONGEST = 100  # characters that are shown of a command
log = logging.getLogger("htpbench")


class Waiting:
    """One wait: `look` is called again and again while it lasts."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.since, self.told = time.monotonic(), False

    def look(self, whom: Callable[[], Iterable[int]]) -> None:
        """Say it when it has taken long; `whom` finds the processes that are waited for."""
        if not self.told and time.monotonic() - self.since > PATIENCE_S:
            self.told = True
            named = [described(process) for process in whom() if process not in (0, os.getpid())]
            log.warning("waiting for %s: %s", self.what, "; ".join(named) or "another process")


def described(process: int) -> str:
    """A process of this machine: its number, and what it was asked to do."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return f"pid {process}"
    names = [Path(word).name for word in words]
    if "htpbench" in names:
        words = ["htpbench", *words[names.index("htpbench") + 1 :]]
    said = shown(one_line(" ".join(map(hidden, words)).strip()))
    return f"pid {process}, {said[:LONGEST]}{' ...' if said[LONGEST:] else ''}"


def holders(file: int) -> list[int]:
    """The processes that hold a lock on an open file, where the system tells."""
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return []
    inode = str(os.fstat(file).st_ino)
    fields = [line.split() for line in lines]
    found = [int(f[4]) for f in fields if f[1] == "FLOCK" and f[5].rpartition(":")[2] == inode]
    return list(dict.fromkeys(found))

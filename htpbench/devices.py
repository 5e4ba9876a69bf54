"""Who may use a device: many at a time to measure, one alone to measure time."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # no POSIX: there is no sharing, and one sweep at a time is enough
    fcntl = None

_alone: set[Path] = set()  # devices that this process has for itself


class TimedOut(Exception):
    """A measurement took longer than it may."""


@contextmanager
def device_lock(device: str, shared: bool = False) -> Iterator[None]:
    """Hold a device (cpu, cuda, cuda:1, ...) alone, or shared with others that hold it shared.

    Whoever waits to be alone holds the turnstile, so that nobody new comes in before. The system
    frees the locks of a process that dies. Locks are those of one machine.
    """
    kind, _, index = device.partition(":")
    path = Path(tempfile.gettempdir()) / f"htpbench-{kind}-{index or 0}.lock"
    if fcntl is None or path in _alone:
        yield
        return
    with _opened(path) as lock:
        with _opened(path.with_suffix(".turnstile")) as turnstile:
            fcntl.flock(turnstile, fcntl.LOCK_EX)
            fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        if not shared:
            _alone.add(path)
        try:
            yield
        finally:
            _alone.discard(path)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A file that all users of the machine may lock; closing it unlocks it."""
    try:
        file = os.open(path, os.O_RDWR)  # O_CREAT is refused for another user's file in /tmp
    except FileNotFoundError:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if os.fstat(file).st_uid == os.getuid():
            os.fchmod(file, 0o666)  # whatever the umask says
        yield file
    finally:
        os.close(file)


@contextmanager
def deadline(seconds: float | None) -> Iterator[None]:
    """Raise TimedOut inside the block after so many seconds; None: never.

    It works in the main thread of POSIX systems, between two bytecodes: one long call into
    compiled code is left first.
    """
    if seconds is None:
        yield
        return

    def stop(*_: object) -> None:
        raise TimedOut(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

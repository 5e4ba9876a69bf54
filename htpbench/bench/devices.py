"""Who may use a device: many at a time to measure, one alone to measure time.

A GPU's calls are launched by the CPU, so whoever holds a GPU holds the CPU in the same way.
"""

from __future__ import annotations

import os
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from htpbench.errors import BenchError, TimedOut
from htpbench.measuring.environment import gpu_id
from htpbench.outside.waiting import PAUSE_S, Waiting, holders

try:
    import fcntl
except ImportError:  # no POSIX: there is no sharing, and one sweep at a time is enough
    fcntl = None

_alone: set[Path] = set()  # devices that this process has for itself


@contextmanager
def device_lock(device: str, shared: bool = False) -> Iterator[None]:
    """Hold a device (cpu, cuda, cuda:1, ...) alone, or shared with others that hold it shared.

    Whoever waits to be alone holds the turnstile, so that nobody new comes in before. The system
    frees the locks of a process that dies. Locks are those of one machine, in a folder that
    containers may share by HTPBENCH_LOCKS. BenchError where their files cannot be used.
    """
    with ExitStack() as held:
        for name in ["cpu-0"] + ([gpu_id(device)] if device != "cpu" else []):
            held.enter_context(_held(name, device, shared))
        yield


@contextmanager
def _held(name: str, device: str, shared: bool) -> Iterator[None]:
    folder = Path(os.environ.get("HTPBENCH_LOCKS") or tempfile.gettempdir())
    path = folder / f"htpbench-{name}.lock"
    if fcntl is None or path in _alone:
        yield
        return
    with _opened(path) as lock:
        with _opened(path.with_suffix(".turnstile")) as turnstile:
            waiting = Waiting(device)
            _take(turnstile, fcntl.LOCK_EX, waiting, lock)
            _take(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, waiting, lock)
        if not shared:
            _alone.add(path)
        try:
            yield
        finally:
            _alone.discard(path)


def _take(file: int, how: int, waiting: Waiting, lock: int) -> None:
    """Wait for a lock; once it is said who has it, asleep, which disturbs no timing."""
    assert fcntl is not None
    while True:
        try:
            fcntl.flock(file, how if waiting.told else how | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            waiting.look(lambda: holders(lock))
            time.sleep(PAUSE_S)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A file of its own that all users of the machine may lock; closing it unlocks it.

    The folder is everybody's: what another put there is neither followed nor changed.
    """
    try:
        file = _open(path)
    except OSError as error:
        raise _refused(path, error.strerror or str(error)) from error
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise _refused(path, "it is no file of its own")
        yield file
    finally:
        os.close(file)


def _open(path: Path) -> int:
    how = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    while True:
        try:
            return os.open(path, how)  # O_CREAT is refused for another user's file in /tmp
        except FileNotFoundError:
            pass
        with suppress(FileExistsError):  # another came first
            file = os.open(path, how | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(file, 0o666)  # whatever the umask says
            return file


def _refused(path: Path, why: str) -> BenchError:
    return BenchError(
        f"the lock of the device, {path}, cannot be used: {why}; remove it, or set HTPBENCH_LOCKS "
        "to another folder"
    )


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

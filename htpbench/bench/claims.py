"""Claims: who measures what, so that many workers share work; what a dead worker held is free.

A claim is a file below results/<machine>/claims/, or results/claims/ for all machines, made with
O_EXCL under a lock that the system takes from a process when it dies. Workers on other machines
must see the same folder, on a file system with working locks.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from filelock import FileLock

from htpbench.errors import BenchError
from htpbench.outside import files
from htpbench.outside.waiting import PAUSE_S, Waiting

Job = TypeVar("Job")
OTHERS = "what another process measures"
ELSEWHERE_S = 24 * 3600.0  # a claim of another host that is older than this is free


class Busy(Exception):
    """Another live worker holds it; `process` is its number, 0 where it is not of this host."""

    def __init__(self, what: str, process: int = 0) -> None:
        super().__init__(what)
        self.process = process


def born(process: int) -> str | None:
    """When a process of this host started; None where there is none (or only its ashes).

    A process id may be given to another process later; id and start together may not.
    """
    try:
        text = Path(f"/proc/{process}/stat").read_text(errors="replace")
        state, *fields = text.rpartition(")")[2].split()  # a name may hold spaces and brackets
        return None if state in "ZX" else fields[18]
    except OSError:
        if Path("/proc/self/stat").exists():
            return None
    asked = ["ps", "-o", "state=,lstart=", "-p", str(process)]  # macOS, BSD
    said = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    return None if not said or said.startswith("Z") else said.partition(" ")[2].strip()


@cache
def host() -> str:
    """This host, or this container of it, without telling its name."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:12]


def myself() -> dict[str, Any]:
    """What a claim says of its owner."""
    return {"host": host(), "process": os.getpid(), "born": born(os.getpid())}


def alive(owner: Any, age_s: float, longest_s: float = ELSEWHERE_S) -> bool:
    """Whether an owner still works; of those elsewhere we only know how old their claim is.

    What does not say who owns it, as `myself` does, is nobody's.
    """
    if not is_owner(owner):
        return False
    if owner["host"] != host():
        return age_s < longest_s
    return owner["born"] is not None and born(owner["process"]) == owner["born"]


def is_owner(said: Any) -> bool:
    """Whether this is what `myself` says, of whomever."""
    kinds = {"host": str, "process": int, "born": str | None}
    return isinstance(said, dict) and all(
        name in said and isinstance(said[name], kind) for name, kind in kinds.items()
    )


def here(owner: dict[str, Any]) -> int:
    """The process of an owner; 0 where it is not of this host."""
    return owner.get("process", 0) if owner.get("host") == host() else 0


class Claims:
    """The claims below one folder. Raises BenchError where it cannot be written.

    As a context manager it ends with none of this process left. A signal may raise between any two
    instructions, so that a `with` that had begun never ends.
    """

    def __init__(self, folder: Path, longest_s: float = ELSEWHERE_S) -> None:
        self.folder = folder
        self.longest_s = longest_s
        # One for all: it is taken again by a process that a signal left with it, where another
        # object would wait for ever, and no signal is lost in the code that ends a lock's life.
        self._lock = FileLock(folder.with_suffix(".lock"), poll_interval=0.005)

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        if self.folder.is_dir():
            with self._locked():
                for path in list(self.folder.iterdir()):
                    self.release(path.name)

    @contextmanager
    def hold(self, what: str, wait: bool = True) -> Iterator[int]:
        """Hold a claim; yields how many owners died with it.

        Where a live worker has it: waits for its end, or with `wait` off raises Busy.
        """
        key = hashlib.sha256(what.encode()).hexdigest()[:16]
        waiting = Waiting(OTHERS)
        try:
            while (deaths := self.take(key)) is None:
                if not wait:
                    raise Busy(what, self.holder(key))
                waiting.look(lambda: [self.holder(key)])
                time.sleep(PAUSE_S)
            yield deaths
        finally:
            self.release(key)

    def take(self, key: str) -> int | None:
        """Owners that died with this claim, which is now ours; None where a live one has it."""
        path = self.folder / key
        with self._locked():
            deaths = 0
            if os.path.lexists(path):
                before = _read(path)
                if alive(before, time.time() - path.lstat().st_mtime, self.longest_s):
                    return None
                died = before.get("deaths", 0)
                deaths = (died if isinstance(died, int) and died >= 0 else 0) + 1
                path.unlink()
            owner = json.dumps({**myself(), "deaths": deaths})
            with path.open("x", encoding="utf-8") as file:
                file.write(owner)
        return deaths

    def holder(self, key: str) -> int:
        """The process of this host that has a claim; 0 where there is none."""
        try:
            return here(_read(self.folder / key))
        except OSError:  # given back a moment ago
            return 0

    def renew(self, what: str) -> None:
        """Say that a long job is still worked at."""
        key = hashlib.sha256(what.encode()).hexdigest()[:16]
        if (self.folder / key).exists():
            os.utime(self.folder / key)

    def release(self, key: str) -> None:
        """Give a claim back, if it still is ours; one that says of no owner is nobody's."""
        path, mine = self.folder / key, myself()
        with self._locked():
            if os.path.lexists(path):
                owner = _read(path)
                if not is_owner(owner) or mine.items() <= owner.items():
                    path.unlink()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock:
                yield
        except OSError as error:
            raise BenchError(
                f"cannot write claims to {self.folder}: {error.strerror}; "
                "free or mend the folder, or choose another with --results"
            ) from error


def _read(path: Path) -> dict[str, Any]:
    """A claim; {} where its owner was killed while writing it, which makes it free."""
    try:
        said = files.load_json(path)
    except BenchError:
        return {}
    return said if isinstance(said, dict) else {}


def in_turn(jobs: Iterable[Job], work: Callable[[Job], None]) -> None:
    """Work at every job; one that is Busy is tried again after the others."""
    left, passed, waiting = deque(jobs), 0, Waiting(OTHERS)
    while left:
        job = left.popleft()
        try:
            work(job)
            passed, waiting = 0, Waiting(OTHERS)
        except Busy as busy:
            left.append(job)
            passed += 1
            if passed >= len(left):
                waiting.look(partial(list, [busy.process]))
                time.sleep(PAUSE_S)
                passed = 0

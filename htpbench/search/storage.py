"""Where Optuna keeps the trials of a search: a journal beside the rows, or a PostgreSQL server."""

from __future__ import annotations

import json
import math
import os
import time
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from filelock import FileLock
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import TrialState

from htpbench.errors import BenchError
from htpbench.outside import files
from htpbench.outside.passwords import hidden
from htpbench.systems.combination import parse

if TYPE_CHECKING:
    from sqlalchemy.engine import URL

MOST_BYTES = 2**26  # of a journal: Optuna holds all of it
HEARTBEAT_S, GRACE_S = 30, 120  # a trial on a server that is silent for so long is dead
TRIES = 5  # of making the schema, which several workers may want to do at once


def open_storage(url: str | None, journal: Path) -> BaseStorage:
    """The storage of a URL, or without one the journal. BenchError where it cannot be used."""
    return open_journal(journal) if url is None else open_server(url)


def refused(path: Path, error: BenchError | OSError) -> BenchError:
    """What to say of a file that cannot be written."""
    why = error.strerror if isinstance(error, OSError) else error
    return BenchError(
        f"cannot write {path}: {why}; free or mend the folder, or choose another with --results"
    )


class SystemLock(JournalFileOpenLock):
    """A lock that the system takes from a process that dies; Optuna's own would stay 30 seconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = FileLock(path.with_name(f"{path.name}.lock"), poll_interval=0.002)

    def acquire(self) -> bool:
        """Wait for it."""
        try:
            self.lock.acquire()
        except OSError as error:
            raise refused(self.path, error) from error
        return True

    def release(self) -> None:
        """Let go of it."""
        self.lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Journal(JournalFileBackend):
    """Optuna's journal file; a killed process and a full disk leave whole lines alone.

    BenchError where the disk is full, and where the file is gone or another than it was.
    """

    def __init__(self, path: Path, lock: SystemLock) -> None:
        super().__init__(str(path), lock)
        self.path, self.lock = path, lock
        self.inode = path.stat().st_ino

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append a line each: all or none."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs).encode()
        try:
            with self.lock, self.path.open("r+b", buffering=0) as file:
                if os.fstat(file.fileno()).st_ino != self.inode:
                    raise OSError(None, "it was replaced while it was written to")
                whole = cut(file)
                file.seek(whole)
                if file.write(lines) < len(lines):
                    file.truncate(whole)
                    raise OSError(None, "the disk is full")
                os.fsync(file.fileno())
        except OSError as error:
            raise refused(self.path, error) from error

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """See Optuna."""
        try:
            yield from super().read_logs(log_number_from)
        except OSError as error:
            raise refused(self.path, error) from error
        except ValueError as error:
            raise damaged(self.path) from error


def cut(file: IO[bytes]) -> int:
    """Cut off what a killed worker left of its last line; returns the bytes that stay."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(end - 1, 0))
    if file.read(1) in (b"\n", b""):
        return end
    file.seek(0)
    return file.truncate(file.read().rfind(b"\n") + 1)


def open_journal(path: Path) -> BaseStorage:
    """A journal file; what a killed worker left of its last line is cut off."""
    lock = SystemLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with lock, path.open("a+b", buffering=0) as file:
            files.checked(path, MOST_BYTES)
            cut(file)
            file.seek(0)
            written = file.read()
    except (BenchError, OSError) as error:
        raise refused(path, error) from error

    for number, line in enumerate(written.splitlines(), start=1):
        try:
            files.parse_json(line)
        except ValueError:
            raise damaged(f"{path}:{number}") from None
    return replayed(path, lock)


def replayed(path: Path, lock: SystemLock) -> BaseStorage:
    """The storage that a journal's lines make, if each trial says what ours say."""
    try:
        storage = JournalStorage(Journal(path, lock))
        for study in storage.get_all_studies():
            for trial in storage.get_all_trials(study._study_id, deepcopy=False):
                trial._validate()
                if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
                    parse(trial.user_attrs["combination"])
                values = trial.values if trial.state == TrialState.COMPLETE else study.directions
                if len(values) != len(study.directions) or not all(map(math.isfinite, values)):
                    raise ValueError(f"{values} of {len(study.directions)} objectives")
        return storage
    except Exception as error:  # Optuna fails in a dozen ways on lines that it did not write
        raise damaged(path) from error


def damaged(place: Path | str) -> BenchError:
    """What to say of a journal that cannot be read."""
    return BenchError(
        f"{place} is damaged. Remove the file: what was measured stands in "
        "the rows, the trials of the search alone begin anew"
    )


def open_server(text: str) -> BaseStorage:
    """A PostgreSQL database, its schema made if need be, with a heartbeat for each trial."""
    from optuna.storages import RDBStorage

    url = checked(text)
    with talking(text):
        for left in reversed(range(TRIES)):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the heartbeat is experimental
                    return RDBStorage(
                        url.render_as_string(hide_password=False),
                        engine_kwargs={"pool_pre_ping": True},
                        heartbeat_interval=HEARTBEAT_S,
                        grace_period=GRACE_S,
                    )
            except Exception as error:
                made_by_another = "already exists" in str(error) or "duplicate key" in str(error)
                if not (left and made_by_another):
                    raise
                time.sleep(0.5)
    raise AssertionError  # the loop returns or raises


def checked(text: str) -> URL:
    """The URL with its driver; BenchError for other servers than PostgreSQL.

    The password ends at the last `@`, as people write it, where SQLAlchemy takes the first.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    wanted = "expected postgresql://USER:PASSWORD@HOST/DATABASE, or none for a journal file"
    try:
        kind, _, rest = text.partition("://")
        login, at, place = rest.rpartition("@")
        url = make_url(f"{kind}://{login.replace('@', '%40')}{at}{place}")
    except (ArgumentError, ValueError):
        raise BenchError(f"--storage is not a URL; {wanted}") from None
    kind = url.get_backend_name()
    if kind == "sqlite":
        raise BenchError(
            "--storage sqlite: several processes break it (they race for its schema and its "
            "locks); leave --storage out, the journal file serves many workers, or take postgresql"
        )
    if kind != "postgresql":
        raise BenchError(f"--storage {kind}: {wanted}")
    try:
        import psycopg  # noqa: F401
    except ImportError:
        raise BenchError(
            "--storage postgresql needs psycopg: pip install 'htpbench[postgresql]'"
        ) from None
    return url.set(drivername="postgresql+psycopg")


@contextmanager
def talking(text: str | None) -> Iterator[None]:
    """What the server refuses becomes a BenchError without the password."""
    if text is None:
        yield
        return
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ if isinstance(error, StorageInternalError) else error
        said = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
        password = checked(text).password
        if password:
            said = said.replace(str(password), "***")
        raise BenchError(
            f"--storage {hidden(text)}: {said}; "
            "check the address, or leave --storage out for a journal file"
        ) from None

"""Rows: every number, with the conditions it was measured under, one JSON line each.

Files are append-only and have one writer each, so that a killed process loses at most the line it
was writing: a line counts once its newline is there. An environment is a line of its own, and so is
the end of a sweep.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from htpbench.errors import BenchError, Unknown
from htpbench.outside import files
from htpbench.records.row import MOST_TEXT, SCHEMA, Row, now
from htpbench.systems.combination import parse

MOST_BYTES = 2**30  # of a file of rows
LONGEST = 2**22  # bytes of a line


class Newer(BenchError):
    """Rows of a newer htpbench."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep that came to its end: its report is made of the rows that have these keys."""

    study: str
    keys: list[str]
    at: str = field(default_factory=now)

    def __post_init__(self) -> None:
        if not isinstance(self.keys, list) or not all(
            isinstance(text, str) for text in (self.study, self.at, *self.keys)
        ):
            raise ValueError("a sweep has a study, a time and a list of keys")

    def tells(self, rows: Iterable[Row]) -> bool:
        """Whether no other row of its study was measured since."""
        known = set(self.keys)
        since = (row for row in rows if row.study == self.study and row.at > self.at)
        return all(row.key in known for row in since)


def row_key(
    combination: str,
    metric: str,
    conditions: dict[str, Any],
    version: int | str,
    machine: str | None = None,
) -> str:
    """16 hex digits naming what was measured, how, and by which version of the meter.

    `machine` is given for exclusive meters only: other metrics are the same everywhere.
    """
    parts = [combination, metric, conditions, version, machine]
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def latest(rows: Iterable[Row]) -> dict[str, Row]:
    """The row that holds for each key: the newest ok one, or the newest where none is ok."""
    held: dict[str, Row] = {}
    for row in rows:
        rival = held.get(row.key)
        if rival is None or (row.status == "ok", row.at) >= (rival.status == "ok", rival.at):
            held[row.key] = row
    return held


class Store:
    """The rows below `folder`: results/<machine>, or results/ itself for those of all machines."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.problems: list[str] = []  # "file:line: what" of the lines that `read` skipped
        self.environments: dict[str, dict[str, Any]] = {}  # by id, of the rows that were read
        self.sweeps: dict[str, Sweep] = {}  # the last of each study
        self._seen: dict[Path, tuple[int, int]] = {}  # bytes and lines that `fresh` has read

    def read(self, study: str | None = None) -> list[Row]:
        """All rows, or those of one study; [] where nothing was measured yet.

        Lines that are no row are skipped and listed in `problems`. Raises BenchError for a folder
        that cannot be read and for rows of a newer schema.
        """
        self.problems = []
        return [row for row in self._rows({}) if study in (None, row.study)]

    def fresh(self) -> list[Row]:
        """The rows that were appended, by whomever, since this was last asked."""
        seen = dict(self._seen)
        rows = list(self._rows(seen))
        self._seen = seen  # where a line is refused, those before it are not taken as read
        return rows

    def writer(self, study: str, environment: dict[str, Any]) -> Writer:
        """A context manager that appends to <study>.<number>.jsonl, a file of its own."""
        return Writer(self.folder, study, environment)

    def _rows(self, seen: dict[Path, tuple[int, int]]) -> Iterator[Row]:
        """The rows of each new line, in the order of file names."""
        try:
            for path in self._files():
                for place, text in _new_lines(path, seen):
                    try:
                        found = read_line(text)
                    except ValueError as error:
                        self.problems.append(f"{place}: {error}")
                        continue
                    except Newer as error:
                        raise Newer(
                            f"{place} has {error} or choose other results with --results"
                        ) from None
                    if isinstance(found, Row):
                        yield found
                    elif isinstance(found, Sweep):
                        before = self.sweeps.get(found.study)
                        if before is None or before.at <= found.at:
                            self.sweeps[found.study] = found
                    else:
                        self.environments[str(found.get("id"))] = found
        except Newer:
            raise
        except (BenchError, OSError) as error:
            said = error.strerror if isinstance(error, OSError) else error
            raise BenchError(
                f"cannot read results in {self.folder}: {said}; "
                "mend the folder or choose another with --results"
            ) from error

    def _files(self) -> list[Path]:
        def refuse(error: OSError) -> None:  # os.walk skips what it cannot read unless told
            raise error

        if not self.folder.exists():
            return []
        walk = os.walk(self.folder, onerror=refuse)
        return sorted(Path(at, name) for at, _, names in walk for name in names if _is_rows(name))


class Writer:
    """Appends rows to one file; each is on the disk once `append` returns.

    The file is the first <study>.<number>.jsonl that no other writer holds: `number` counts the
    writers at work. Raises BenchError where the folder cannot be written or the disk is full.
    """

    def __init__(self, folder: Path, study: str, environment: dict[str, Any]):
        self.folder = folder
        self.study = study
        self.environment = environment

    def __enter__(self) -> Writer:
        self.path = self.folder / f"{self.study}.0.jsonl"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock, self.number = self._first_free()
        except OSError as error:
            raise self._refused(error) from error
        self.path = self.folder / f"{self.study}.{self.number}.jsonl"
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            self._lock.release()
            raise self._refused(error) from error
        try:
            line = _line({"kind": "environment", **self.environment})
            if not self._mended(line):
                self._write(line)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
        self._lock.release()

    def _first_free(self) -> tuple[FileLock, int]:
        for number in itertools.count():
            lock = FileLock(self.folder / f"{self.study}.{number}.lock")
            with suppress(Timeout):
                lock.acquire(timeout=0)  # the system lets go of it when a process is killed
                return lock, number
        raise AssertionError  # numbers do not end

    def append(self, row: Row) -> None:
        """Write one row."""
        self._write(_line(asdict(row)))

    def finish(self, keys: list[str]) -> Sweep:
        """Write that a sweep came to its end, and which rows it is made of."""
        sweep = Sweep(study=self.study, keys=keys)
        self._write(_line({"kind": "sweep", **asdict(sweep)}))
        return sweep

    def _write(self, line: bytes) -> None:
        try:
            before = os.fstat(self._file)
            if not before.st_nlink:
                raise OSError(None, "the file was removed while it was written to")
            if os.write(self._file, line) < len(line):
                os.ftruncate(self._file, before.st_size)
                raise OSError(None, "the disk is full")
            os.fsync(self._file)  # cheap beside any measurement
        except OSError as error:
            raise self._refused(error) from error

    def _mended(self, line: bytes) -> bool:
        """Cut what follows the last newline, where a writer was killed; whether a line is there."""
        found, end = False, 0
        try:
            with files.opened(self.path, MOST_BYTES) as file:
                for text in whole_lines(file):
                    found, end = found or text == line, file.tell()
            os.ftruncate(self._file, end)
        except (BenchError, OSError) as error:
            raise self._refused(error) from error
        return found

    def _refused(self, error: BenchError | OSError) -> BenchError:
        why = error.strerror if isinstance(error, OSError) else error
        return BenchError(
            f"cannot write results to {self.path}: {why}; "
            "free or mend the folder, or choose another with --results"
        )


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False).encode() + b"\n"


def _is_rows(name: str) -> bool:
    return name.endswith(".jsonl")


def _new_lines(path: Path, seen: dict[Path, tuple[int, int]]) -> Iterator[tuple[str, bytes]]:
    """Each whole line beyond what was seen, with its place."""
    offset, before = seen.get(path, (0, 0))
    with files.opened(path, MOST_BYTES) as file:
        file.seek(offset)
        for number, text in enumerate(whole_lines(file), start=before + 1):
            seen[path] = file.tell(), number
            yield f"{path}:{number}", text


def whole_lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines that end; of one that is too long as much as shows it.

    A line without its end was cut by a kill, or is being written.
    """
    while (text := file.readline(LONGEST + 1)).endswith(b"\n") or len(text) > LONGEST:
        rest = text
        while rest and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST)
        if rest:
            yield text


def read_line(text: bytes) -> Row | Sweep | dict[str, Any]:
    """A row, a sweep, or what a line says of an environment; ValueError says why it is none."""
    if len(text) > LONGEST:
        raise ValueError(f"over {LONGEST} bytes long")
    line = files.parse_json(text)
    if not isinstance(line, dict):
        raise ValueError("not a JSON object")
    if line.get("kind") == "environment":
        if len(text) > MOST_TEXT:  # reports repeat it in every cell
            raise ValueError(f"an environment of over {MOST_TEXT} bytes")
        return line
    schema = line.get("schema", SCHEMA)
    if isinstance(schema, int) and schema > SCHEMA:
        raise Newer(f"schema {schema!r:.40}, above {SCHEMA}: upgrade htpbench")
    try:
        if line.pop("kind", None) == "sweep":
            return Sweep(**line)
        row = Row(**line)
        check_name(row.combination)
    except (TypeError, ValueError) as error:  # fields that are missing, not known or of other types
        raise ValueError(f"{error!s:.200}") from error
    return row


@cache
def check_name(combination: str) -> None:
    """ValueError for what names no control and no network, be its systems known here or not."""
    try:
        if not combination.startswith("control"):
            parse(combination)
    except Unknown:
        pass
    except BenchError as error:
        raise ValueError(str(error)) from error

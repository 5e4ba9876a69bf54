"""Rows: every number, with the conditions it was measured under, one JSON line each.

Files are append-only and have one writer each, so that a killed process loses at most the line it
was writing: a line counts once its newline is there. An environment is a line of its own, and so is
the end of a sweep.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from htpbench.errors import BenchError

SCHEMA = 1
WRITTEN = "%Y-%m-%dT%H:%M:%SZ"  # how a row tells its time
STATUSES = ("ok", "failed", "unsupported", "pruned", "timeout")


def now() -> str:
    """The time in UTC, ISO 8601 to the second, as `2026-11-21T03:30:00Z`."""
    return datetime.now(UTC).strftime(WRITTEN)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of one combination; `value` is in `unit`, or a list with one label of `axis` each.

    `low` and `high` bound the value's interval, `samples` says how many measurements it rests on.
    A ValueError (NaN, a value that is missing or has no axis, an unknown status) is a bug.
    """

    schema: int = SCHEMA
    key: str
    study: str
    combination: str
    metric: str
    value: float | list[float] | list[int] | None = None
    unit: str
    low: float | None = None
    high: float | None = None
    samples: int | None = None
    axis: list[str] | list[int] | None = None
    status: str = "ok"
    reason: str | None = None
    conditions: dict[str, Any] = field(default_factory=dict)
    environment: str
    commit: str | None = None
    at: str = field(default_factory=now)

    def __post_init__(self) -> None:
        values = self.value if isinstance(self.value, list) else [self.value]
        for number in (*values, self.low, self.high):
            if number is not None and not (
                isinstance(number, int | float) and math.isfinite(number)
            ):
                raise ValueError(f"{self.metric}: {number!r} is not a finite Python number")
        if isinstance(self.value, list) and len(self.value) != len(self.axis or ()):
            raise ValueError(f"{self.metric}: {len(self.value)} values, axis {self.axis}")
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r}; known: {', '.join(STATUSES)}")
        if self.status == "ok" and self.value is None:
            raise ValueError(f"{self.metric}: status ok without a value")


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

    `machine` is given for time and memory only: the other metrics are the same everywhere.
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
        return list(self._rows(self._seen))

    def writer(self, study: str, environment: dict[str, Any]) -> Writer:
        """A context manager that appends to <study>.<number>.jsonl, a file of its own."""
        return Writer(self.folder, study, environment)

    def _rows(self, seen: dict[Path, tuple[int, int]]) -> Iterator[Row]:
        for place, line in self._lines(seen):
            if line.get("kind") == "environment":
                self.environments[str(line.get("id"))] = line
                continue
            try:
                if line.get("kind") == "sweep":
                    self._keep(Sweep(**{key: line[key] for key in line if key != "kind"}))
                else:
                    yield Row(**line)
            except (TypeError, ValueError) as error:
                self.problems.append(f"{place}: not a row: {error}")

    def _keep(self, sweep: Sweep) -> None:
        before = self.sweeps.get(sweep.study)
        if before is None or before.at <= sweep.at:
            self.sweeps[sweep.study] = sweep

    def _lines(self, seen: dict[Path, tuple[int, int]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each new line that is a JSON object, with its place, in the order of file names."""
        try:
            for path in self._files():
                offset, before = seen.get(path, (0, 0))
                with path.open("rb") as file:
                    file.seek(offset)
                    new = file.read()
                *lines, cut = new.split(b"\n")  # what follows the last newline
                seen[path] = offset + len(new) - len(cut), before + len(lines)
                for number, text in enumerate(lines, start=before + 1):
                    place = f"{path}:{number}"
                    try:
                        line = json.loads(text)
                        if not isinstance(line, dict):
                            raise ValueError("not a JSON object")
                    except ValueError as error:  # also what is not UTF-8
                        self.problems.append(f"{place}: {error}")
                        continue
                    _check_schema(line, place)
                    yield place, line
        except OSError as error:
            raise BenchError(
                f"cannot read results in {self.folder}: {error.strerror}; "
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
            self.path = self.folder / f"{self.study}.{self.number}.jsonl"
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise self._refused(error) from error
        try:
            written = self._drop_cut_line()
            line = _line({"kind": "environment", **self.environment})
            if line.rstrip() not in written.split(b"\n"):
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

    def finish(self, keys: list[str]) -> None:
        """Write that a sweep came to its end, and which rows it is made of."""
        sweep = Sweep(study=self.study, keys=keys)
        self._write(_line({"kind": "sweep", **asdict(sweep)}))

    def _write(self, line: bytes) -> None:
        try:
            if os.write(self._file, line) < len(line):
                self._drop_cut_line()
                raise OSError(None, "the disk is full")
            os.fsync(self._file)  # cheap beside any measurement
        except OSError as error:
            raise self._refused(error) from error

    def _drop_cut_line(self) -> bytes:
        """Cut what follows the last newline (a writer was killed there); return what is left."""
        written = self.path.read_bytes()
        whole = written[: written.rfind(b"\n") + 1]
        if len(whole) < len(written):
            os.ftruncate(self._file, len(whole))
        return whole

    def _refused(self, error: OSError) -> BenchError:
        return BenchError(
            f"cannot write results to {self.path}: {error.strerror}; "
            "free or mend the folder, or choose another with --results"
        )


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, allow_nan=False).encode() + b"\n"


def _is_rows(name: str) -> bool:
    return name.endswith(".jsonl")


def _check_schema(line: dict[str, Any], place: str) -> None:
    schema = line.get("schema", SCHEMA)
    if isinstance(schema, int) and schema > SCHEMA:
        raise BenchError(
            f"{place} has schema {schema}, this htpbench reads up to {SCHEMA}: "
            "upgrade htpbench or choose other results with --results"
        )

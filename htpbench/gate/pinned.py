"""Pinned rows: the file that the gate compares with, read strictly and written all or nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from htpbench.errors import BenchError
from htpbench.outside import files
from htpbench.outside.drafts import write_file
from htpbench.records.row import Row
from htpbench.records.rows import Newer, read_line
from htpbench.report.current import CONTROL
from htpbench.systems import catalogue
from htpbench.systems.shipped import data_folder

KEPT = "selection.kept"  # the one list that is compared
MOST_BYTES = 2**25
FIRST = ("combination", "metric", "value", "unit")  # of a line
Place = tuple[str, str]  # combination, metric


class Unreadable(BenchError):
    """A file of pinned rows that cannot be read."""

    exit_code = 4


class Unmeasured(BenchError):
    """Rows that cannot be pinned because a measurement failed."""

    exit_code = 3


@dataclass(frozen=True)
class Rows:
    """The rows of networks by place, and the environments that they were measured in."""

    rows: dict[Place, Row]
    environments: list[dict[str, Any]]


def pinned_file(study: str) -> Path:
    """Where a study's rows are pinned: in the package, else beside the study's file."""
    shipped = data_folder() / "baselines" / f"{study}.jsonl"
    return shipped if shipped.exists() else Path(study).with_suffix(".pinned.jsonl")


def comparable(rows: Iterable[Row]) -> dict[Place, Row]:
    """Single numbers and kept frames of networks; what failed stays, to say why."""
    return {
        (row.combination, row.metric): row
        for row in rows
        if not row.combination.startswith(CONTROL)
        and (row.metric == KEPT or not isinstance(row.value, list))
    }


def read(path: Path) -> Rows:
    """The pinned rows of a file; Unreadable where a line is no row or of a newer schema."""
    rows, environments = [], []
    try:
        lines = files.content(path, MOST_BYTES).splitlines()
    except BenchError as error:
        raise Unreadable(
            f"{error}; name a file of rows with --against, or make it with --pin"
        ) from error
    for number, text in enumerate(lines, start=1):
        try:
            line = read_line(text)
        except (ValueError, Newer) as error:
            raise Unreadable(
                f"{path}:{number} is not a row: {error}; take the file from its repository again, "
                "or remove it and make it anew with --pin"
            ) from error
        if isinstance(line, Row):
            rows.append(line)
        elif isinstance(line, dict):
            environments.append(line)
    return Rows(comparable(row for row in rows if row.status == "ok"), environments)


def write(path: Path, found: Rows) -> None:
    """Pin rows; Unmeasured where one failed, BenchError where the file cannot be replaced.

    Times are left out: they are a machine's, and of it at one moment.
    """
    rows = {place: row for place, row in found.rows.items() if holds(place[1])}
    for row in rows.values():
        if row.status != "ok":
            raise Unmeasured(
                f"nothing is pinned: {row.combination}, {row.metric}: {row.status}, {row.reason}; "
                "mend it and pin again"
            )
    environments = [{"kind": "environment", **facts} for facts in found.environments]
    replaceable(path, {row.study for row in rows.values()})
    held = read(path).rows if path.exists() else {}
    lines = [reviewable(row, held.get(place)) for place, row in rows.items()]
    text = "".join(json.dumps(line) + "\n" for line in [*environments, *lines])
    write_file(path, text.encode(), "name a file of your own with --against")


def holds(metric: str) -> bool:
    """Whether a metric can be pinned: also what a meter of time counts, not what it clocks."""
    return not catalogue.exclusive(metric) or catalogue.metric(metric).exact


def reviewable(row: Row, held: Row | None) -> dict[str, Any]:
    """A row's line, its number first; as it was where nothing but its date and commit is new.

    So that a change of pinned rows shows what moved, and nothing else.
    """
    if held and replace(row, at=held.at, commit=held.commit) == held:
        row = held
    line = asdict(row)
    return {name: line.pop(name) for name in FIRST} | line


def replaceable(path: Path, studies: set[str]) -> None:
    """BenchError where pinning would replace anything but earlier pinned rows of the studies."""
    if not os.path.lexists(path):
        return
    try:
        held = read(path)
        own = {row.study for row in held.rows.values()} <= studies and not path.is_symlink()
        alone = len(held.rows) + len(held.environments) == path.read_bytes().count(b"\n")
    except Unreadable:
        own = alone = False
    if not (own and alone):
        raise BenchError(
            f"--pin: {path} holds something else than pinned rows of {', '.join(sorted(studies))}; "
            "remove it first, or name another file with --against"
        )

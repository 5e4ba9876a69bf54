"""One row: a number with the conditions it was measured under, and what each field may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from htpbench.systems.catalogue import declared

SCHEMA = 1
WRITTEN = "%Y-%m-%dT%H:%M:%SZ"  # how a row tells its time
STATUSES = ("ok", "failed", "unsupported", "pruned", "timeout")
LARGEST = 1e18  # of any number: what is measured is far below, and sums and ratios stay finite
MOST_TEXT = 10_000  # characters of a text, and of all conditions
MOST_VALUES = 2**17  # of a list
FRAMES = 10**5  # what a combination can say of F is below

TEXTS = ("key", "study", "combination", "metric", "unit", "environment", "at")
CONDITIONS: dict[type | tuple[type, ...], str] = {
    str: "data fingerprint split detections cameras windows padding missing_joints root mean_over "
    "mean_pose spread control weights weights_sha256 trained flip_selection environment device "
    "dtype inputs reference on",
    int: "motion_seed stride joints training_seed weights_seed noise_seed threads batch rounds "
    "processes",
    (int, float): "round_s",
    (int, float, list): "frame_rate",  # several where data were filmed so
    bool: "flip masked reference_masked graph alone",
    dict: "training sampling reference_sampling refined code reference_code",
}
KINDS = {name: kind for kind, names in CONDITIONS.items() for name in names.split()}
PIPELINES = ("seq2seq", "seq2frame")


def now() -> str:
    """The time in UTC, ISO 8601 to the second, as `2026-11-21T03:30:00Z`."""
    return datetime.now(UTC).strftime(WRITTEN)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric of one combination; `value` is in `unit`, or a list with one label of `axis` each.

    `low` and `high` bound the value's interval, `samples` says how many measurements it rests on.
    A ValueError (NaN, a field of another type, a value that is missing or has no axis, an unknown
    status) is a bug, or damage where a file says so.
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
        _check_texts(self)
        _check_numbers(self)
        _check_axis(self)
        check_conditions(self.conditions)
        if self.status not in STATUSES:
            raise ValueError(f"status {self.status!r:.60}; known: {', '.join(STATUSES)}")
        if self.status == "ok" and self.value is None:
            raise ValueError(f"{self.metric}: status ok without a value")


def alike(row: Row) -> tuple[str, str, str]:
    """What rows of one measurement share: combination, meter and conditions."""
    meter = row.metric.partition(".")[0]
    return row.combination, meter, json.dumps(row.conditions, sort_keys=True)


def cards(rows: Iterable[Row]) -> dict[tuple[str, str, str], dict[str, Row]]:
    """The ok rows of each measurement by metric; of one that was measured again the newest."""
    found: dict[tuple[str, str, str], dict[str, Row]] = {}
    for row in in_time(rows):
        found.setdefault(alike(row), {})[row.metric] = row
    return found


def in_time(rows: Iterable[Row]) -> list[Row]:
    """The ok rows, the newest last."""
    return sorted((row for row in rows if row.status == "ok"), key=lambda row: row.at)


def number(row: Row) -> float:
    """The value of an ok row that holds one number."""
    assert not isinstance(row.value, list) and row.value is not None
    return float(row.value)


def _is(kind: type | tuple[type, ...], found: Any) -> bool:
    """Whether something is of a type; a bool is no number."""
    return isinstance(found, kind) and (kind is bool or not isinstance(found, bool))


def _check_texts(row: Row) -> None:
    optional = [name for name in ("reason", "commit") if getattr(row, name) is not None]
    for name in (*TEXTS, *optional):
        text = getattr(row, name)
        if not _is(str, text) or len(text) > MOST_TEXT:
            raise ValueError(f"{name} is {text!r:.60}; expected a text")


def _check_numbers(row: Row) -> None:
    values = row.value if isinstance(row.value, list) else [row.value]
    for number in (*values, row.low, row.high):
        if number is not None and not (_is((int, float), number) and abs(number) <= LARGEST):
            raise ValueError(f"{row.metric}: {number!r:.60} is not a finite Python number")
    for name, count in (("schema", row.schema), ("samples", row.samples)):
        if count is not None and not (_is(int, count) and 0 <= count <= LARGEST):
            raise ValueError(f"{row.metric}: {name} is {count!r:.60}; expected a whole number")


def _check_axis(row: Row) -> None:
    """A list has as many labels; which metrics are lists, and of what, is known."""
    listed, axis = isinstance(row.value, list), row.axis if isinstance(row.axis, list) else ()
    if row.axis is not None and (axis == () or not all(_is((str, int), each) for each in axis)):
        raise ValueError(f"{row.metric}: axis {row.axis!r:.60}; expected a list of labels")
    if row.value is None:
        return
    known = declared(row.metric)
    if known is not None and listed != (known.kind != "number"):
        wanted = "one number" if listed else "a list of numbers"
        raise ValueError(f"{row.metric}: {row.value!r:.60}; expected {wanted}")
    if not isinstance(row.value, list):
        return
    if len(row.value) != len(axis) or len(axis) > MOST_VALUES:
        expected = f"axis of {len(axis)}; expected as many, up to {MOST_VALUES}"
        raise ValueError(f"{row.metric}: {len(row.value)} values, {expected}")
    if None in row.value:
        raise ValueError(f"{row.metric}: None is not a finite Python number")
    label = re.compile(known.labels if known else ".*", re.DOTALL)
    wrong = [each for each in axis if not label.fullmatch(str(each))]
    if known and known.of_frames:
        wrong += [one for one in row.value if not (0 <= one < FRAMES and one == int(one))]
    if wrong:
        raise ValueError(f"{row.metric}: {wrong[0]!r:.60} is no label or no frame")


def check_conditions(conditions: Any) -> None:
    """ValueError for conditions that no row can hold."""
    if not isinstance(conditions, dict):
        raise ValueError(f"conditions {conditions!r:.60}; expected an object of names and values")
    if len(str(conditions)) > MOST_TEXT:
        raise ValueError(f"conditions of over {MOST_TEXT} characters")
    for name, found in conditions.items():
        if name == "pipeline" and found not in PIPELINES:
            raise ValueError(f"pipeline {found!r:.60}; expected {' or '.join(PIPELINES)}")
        if name in KINDS and not _is(KINDS[name], found):
            raise ValueError(f"condition {name} is {found!r:.60}; not of the type that it has")

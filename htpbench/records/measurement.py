"""What a meter found."""

from __future__ import annotations

from typing import NamedTuple


class Measurement(NamedTuple):
    """One number that a meter found, before it becomes a row."""

    metric: str
    value: float | list[float]
    unit: str
    low: float | None = None
    high: float | None = None
    samples: int | None = None
    axis: list[str] | None = None
    note: str | None = None

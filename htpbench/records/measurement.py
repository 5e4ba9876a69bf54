"""What a meter found."""

from __future__ import annotations

from typing import NamedTuple


class Measurement(NamedTuple):
    """One number, or a list of them, in the unit that its metric declares; it becomes a row."""

    metric: str
    value: float | list[float]
    low: float | None = None
    high: float | None = None
    samples: int | None = None
    axis: list[str] | None = None
    note: str | None = None

"""Rows as they are read: intervals made of what they say by clip, times of sessions pooled.

One method for all, whenever they were measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from htpbench.records.pairing import averaged, paired
from htpbench.records.row import Row, alike, cards
from htpbench.records.sessions import pooled
from htpbench.systems import catalogue


def restated(rows: Iterable[Row]) -> list[Row]:
    """The rows; those of metrics that are told by clip have the interval of subjects.

    None where it cannot be known: rows of older meters do not tell all of them by clip. Times are
    those of one session (`htpbench.records.sessions.pooled`).
    """
    rows = pooled(rows)
    by_clip = cards(row for row in rows if isinstance(row.axis, list))
    return [one_restated(row, by_clip) for row in rows]


def one_restated(row: Row, by_clip: Mapping[tuple, Mapping[str, Row]]) -> Row:
    """A row with the interval that its card's rows by clip give it."""
    if row.status != "ok" or not catalogue.metric(row.metric).paired_by:
        return row
    card = by_clip.get(alike(row), {})
    if not paired(row.metric, card, card):  # an older meter, or rows that are damaged
        return replace(row, low=None, high=None)
    found = averaged([card], row.metric)
    low, high = found.interval()
    return replace(row, low=low, high=high, samples=found.subjects or row.samples)

"""Whose clips rows are of: subjects are the units of every interval of errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache

from htpbench.records.row import Row
from htpbench.systems.shipped import data_folder

BY_CLIP, BY_SUBJECT = "subjects_by_clip", "frames_by_subject"  # of any meter that scores clips


def subjects(card: Mapping[str, Row], meter: str) -> dict[str, str] | None:
    """Clip -> its subject, from rows of a meter by metric; None where nobody knows.

    Rows of older meters do not tell it: that of shipped motion is looked up by its fingerprint.
    """
    parts = ((name.partition("."), row) for name, row in card.items())
    told = {name: row for (who, _, name), row in parts if who == meter}
    if {BY_CLIP, BY_SUBJECT} <= told.keys():
        by_clip, names = told[BY_CLIP], dict(enumerate(map(str, told[BY_SUBJECT].axis or ())))
        numbers: Iterable[float] = by_clip.value  # type: ignore[assignment]
        found = {
            str(c): names.get(int(at)) for c, at in zip(by_clip.axis or (), numbers, strict=True)
        }
        return None if None in found.values() else found  # type: ignore[return-value]
    fingerprints = {row.conditions.get("fingerprint") for row in told.values()}
    return known().get(str(fingerprints.pop())) if len(fingerprints) == 1 else None


@cache
def known() -> dict[str, dict[str, str]]:
    """Fingerprint of motion -> clip -> subject."""
    path = data_folder() / "baselines" / "motion" / "subjects.json"
    return json.loads(path.read_text(encoding="utf-8"))

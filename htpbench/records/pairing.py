"""Which rows may be compared, and how far apart two combinations are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.records.intervals import Estimate, estimate
from htpbench.records.rows import Row
from htpbench.records.subjects import subjects
from htpbench.systems import catalogue

# What is compared, not how it was measured.
WEIGHTS = {"weights", "weights_sha256", "weights_seed", "training", "training_seed"}
SYSTEM = {*WEIGHTS, "trained", "code", "control", "masked"}
# How clips were cut; they may differ where the same number of frames of each clip was scored.
CUT = {"stride", "windows"}
MPJPE = "accuracy.mpjpe"
BY_CLIP, FRAMES = "accuracy.mpjpe_by_clip", "accuracy.frames_by_clip"
Card = Mapping[str, Row]  # metric -> its ok row; all of one meter under the same conditions


def unlike(row: Row, other: Row, skipped: Collection[str] = ()) -> dict[str, tuple[Any, Any]]:
    """The conditions in which two rows differ: field -> (the row's, the other's)."""
    fields = [
        *row.conditions,
        *(field for field in other.conditions if field not in row.conditions),
    ]
    pairs = {field: (row.conditions.get(field), other.conditions.get(field)) for field in fields}
    return {f: pair for f, pair in pairs.items() if f not in skipped and pair[0] != pair[1]}


def comparable(mine: Card, base: Card) -> None:
    """BenchError names the fields of the evaluation cards that differ."""
    if found := apart(mine, base):
        differing = "; ".join(f"{field} is {a!r}, not {b!r}" for field, (a, b) in found.items())
        raise BenchError(f"not comparable with {base[BY_CLIP].combination}: {differing}")
    if not paired(MPJPE, mine, base):
        raise BenchError(f"not comparable with {base[BY_CLIP].combination}: other clips")


def difference(pairs: Sequence[tuple[Card, Card]], metric: str = MPJPE) -> Estimate:
    """A metric minus the base's, paired clip by clip; see `paired`.

    pairs: (mine, base) of ok rows of one combination each, by metric; one for each training seed.
    A seed that was scored on other clips than the first does not count.
    """
    pairs = [pair for pair in pairs if paired(metric, pair[0], pairs[0][0])]
    return averaged([mine for mine, _ in pairs], metric, [base for _, base in pairs])


def averaged(cards: Sequence[Card], metric: str, bases: Sequence[Card] = ()) -> Estimate:
    """A metric of networks that were trained from several seeds, minus that of the bases."""
    values, weights, *actions = catalogue.metric(metric).paired_by
    counts = labelled(cards[0][weights])
    sums = np.zeros((len(cards), len(counts)))
    for sign, side in ((1, cards), (-1, bases)):
        for line, card in zip(sums, side, strict=False):
            told = labelled(card[values])
            line += [sign * told[clip] * counts[clip] for clip in counts]
    whose = subjects(cards[0], catalogue.metric(metric).meter) or {}
    whose = whose if counts.keys() <= whose.keys() else {}
    found = estimate(
        sums,
        np.array([*counts.values()]),
        np.array([whose[clip] if whose else "" for clip in counts]),
        np.array([labelled(cards[0][actions[0]])[clip] for clip in counts]) if actions else None,
    )
    return found if whose else replace(found, subjects=0)


def paired(metric: str, mine: Mapping[str, Row], base: Mapping[str, Row]) -> bool:
    """Whether rows tell a metric clip by clip, over as many frames of the same clips.

    Rows of older meters tell MPJPE alone.
    """
    needed = catalogue.metric(metric).paired_by
    if not needed or not set(needed) <= mine.keys() & base.keys():
        return False
    ours, theirs = ([labelled(side[name]) for name in needed] for side in (mine, base))
    alike = all(one.keys() == ours[0].keys() for one in (*ours, *theirs))
    return alike and ours[1:] == theirs[1:] and any(ours[1].values())


def labelled(row: Row) -> dict[str, float]:
    """Clip -> its number in a row that holds one for each."""
    return dict(zip(row.axis, row.value, strict=True))  # type: ignore[arg-type]


def apart(mine: Mapping[str, Row], base: Mapping[str, Row]) -> dict[str, tuple[Any, Any]]:
    """The fields in which two evaluation cards differ: field -> (mine, the base's).

    Clips may be cut otherwise where the same number of frames of each was scored.
    """
    counts, expected = frames(mine), frames(base)
    row, other = mine[BY_CLIP], base[BY_CLIP]
    blind = (
        {"flip", "flip_selection", "sampling"} if "flip" not in row.conditions else set()
    )  # the mean pose
    if "sampling" not in row.conditions or "sampling" not in other.conditions:
        blind = blind | {"sampling"}  # one of them takes a single pass: what is compared
    found = unlike(row, other, SYSTEM | CUT | blind)
    if not found and counts != expected:
        sums = sum(counts.values()), sum(expected.values())
        found = unlike(row, other, SYSTEM | blind) or {"frames scored": sums}
    return found


def frames(rows: Mapping[str, Row]) -> dict[str, float]:
    """Clip -> its number of scored frames."""
    if not {BY_CLIP, FRAMES} <= rows.keys():
        raise BenchError(f"{BY_CLIP} was not measured; measure it with the meter accuracy")
    return labelled(rows[FRAMES])

"""Which rows may be compared, and how far apart two combinations are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.rows import Row
from htpbench.statistics import mean_interval

# What is compared, not how it was measured.
WEIGHTS = {"weights", "weights_sha256", "weights_seed", "training", "training_seed"}
SYSTEM = {*WEIGHTS, "trained", "code", "control"}
# How clips were cut; they may differ where the same number of frames of each clip was scored.
CUT = {"stride", "windows"}
BY_CLIP, FRAMES = "accuracy.mpjpe_by_clip", "accuracy.frames_by_clip"


def unlike(row: Row, other: Row, skipped: Collection[str] = ()) -> dict[str, tuple[Any, Any]]:
    """The conditions in which two rows differ: field -> (the row's, the other's)."""
    fields = [
        *row.conditions,
        *(field for field in other.conditions if field not in row.conditions),
    ]
    pairs = {field: (row.conditions.get(field), other.conditions.get(field)) for field in fields}
    return {f: pair for f, pair in pairs.items() if f not in skipped and pair[0] != pair[1]}


def difference(mine: Mapping[str, Row], base: Mapping[str, Row]) -> tuple[float, float, float]:
    """MPJPE minus the base's in mm and its 95 % interval, paired clip by clip.

    Both map metrics to ok rows of one combination. BenchError names the fields of the evaluation
    cards that differ.
    """
    found = apart(mine, base)
    if found:
        told = "; ".join(f"{field} is {a!r}, not {b!r}" for field, (a, b) in found.items())
        raise BenchError(f"not comparable with {base[BY_CLIP].combination}: {told}")
    ours, theirs = by_clip(mine), by_clip(base)
    frames = {clip: count for clip, (_, count) in theirs.items()}
    counts = np.array([frames[clip] for clip in frames])  # (clips,)
    sums = np.array([ours[clip][0] - theirs[clip][0] for clip in frames]) * counts
    return sums.sum() / counts.sum(), *mean_interval(sums, counts)


def apart(mine: Mapping[str, Row], base: Mapping[str, Row]) -> dict[str, tuple[Any, Any]]:
    """The fields in which two evaluation cards differ: field -> (mine, the base's).

    Clips may be cut otherwise where the same number of frames of each was scored.
    """
    ours, theirs = by_clip(mine), by_clip(base)
    row, other = mine[BY_CLIP], base[BY_CLIP]
    blind = {"flip", "flip_selection"} if "flip" not in row.conditions else set()  # the mean pose
    found = unlike(row, other, SYSTEM | CUT | blind)
    counts, expected = ({clip: n for clip, (_, n) in one.items()} for one in (ours, theirs))
    if not found and counts != expected:
        sums = sum(counts.values()), sum(expected.values())
        found = unlike(row, other, SYSTEM | blind) or {"frames scored": sums}
    return found


def by_clip(rows: Mapping[str, Row]) -> dict[str, tuple[float, float]]:
    """Clip -> its MPJPE in mm and its number of scored frames."""
    if not {BY_CLIP, FRAMES} <= rows.keys():
        raise BenchError(f"{BY_CLIP} was not measured; measure it with the meter accuracy")
    mean, frames = rows[BY_CLIP], rows[FRAMES]
    counts: dict[str, float] = dict(zip(frames.axis, frames.value, strict=True))  # type: ignore
    values: dict[str, float] = dict(zip(mean.axis, mean.value, strict=True))  # type: ignore
    return {clip: (values[clip], counts[clip]) for clip in values}

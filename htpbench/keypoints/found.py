"""What a reader finds in a file: people by frame, and what the file says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.keypoints.orders import Order

FARTHEST = 1e6  # px; beyond it no detector means what it says
LARGEST = 2**53  # of a number of a frame or of a person
MOST_JSON = 2**28  # bytes of a file
DESCRIBED = "docs/keypoints.md says what files are read"


@dataclass(frozen=True)
class Asked:
    """What the user says of a file that it may not say itself; "": nothing."""

    images: str = ""
    video: str = ""
    order: str = ""


@dataclass(frozen=True, eq=False)
class Person:
    """Somebody in one frame: `points` (K, 3) are x, y, confidence; NaN, NaN, 0 where not seen.

    `score`: how sure the detector is. `identity`: who it is over frames, None where not known.
    """

    points: np.ndarray
    score: float
    identity: str | None = None


@dataclass(frozen=True, eq=False)
class Found:
    """`layout`: the kind of file, in words. `shares`: x and y are shares of width and height."""

    layout: str
    order: Order
    frames: dict[int, list[Person]]
    size: tuple[int, int] | None = None
    rate: float | None = None
    shares: bool = False
    notes: tuple[str, ...] = field(default=())


def numbers(value: Any, where: str) -> np.ndarray:
    """An array of floats out of lists, numbers and arrays; BenchError for anything else."""
    try:
        with np.errstate(all="ignore"):
            raw = np.asarray(value)
            if raw.dtype.kind == "O" and raw.size:  # None among numbers: NaN
                raw = np.asarray(value, dtype=np.float64)
            if raw.dtype.kind not in "fiu" and raw.size:
                raise ValueError
            return raw.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        raise BenchError(
            f"{where}: expected lists of numbers, all of one length; found others"
        ) from None


def whole(value: Any, where: str) -> int:
    """A whole number of a frame; BenchError for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or abs(value) >= LARGEST:
        raise BenchError(f"{where} is {value!r:.40}; expected a whole number")
    return value


def score_of(value: Any) -> float | None:
    """A score, bare or in a list; None where there is none."""
    value = bare(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < FARTHEST else None


def bare(value: Any) -> Any:
    """What a list of one holds, or of the same several times; all else as it is."""
    while isinstance(value, list) and value and all(one == value[0] for one in value):
        value = value[0]
    return value


def identity(value: Any) -> str | None:
    """Who somebody is over frames: a number, bare or in a list, or a text; below 0: not known."""
    value = bare(value)
    if isinstance(value, str):
        return value[:40] or None
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < LARGEST:
        return None
    return f"{value:.16g}"


def triples(value: Any, where: str) -> np.ndarray:
    """(K, 3) of a flat list x, y, confidence, x, y, confidence, ..."""
    flat = numbers(value, where)
    if flat.ndim != 1 or not len(flat) or len(flat) % 3:
        raise BenchError(f"{where}: expected x, y, confidence of each point; found {flat.shape}")
    return flat.reshape(-1, 3)


def cleaned(points: np.ndarray) -> np.ndarray:
    """(..., K, 3) with NaN, NaN, 0 for points that are not seen, else a confidence up to 1.

    Not seen: no confidence, no number, or exactly (0, 0), which detectors write for nowhere.
    """
    place, sure = points[..., :2], points[..., 2]
    with np.errstate(invalid="ignore"):
        seen = (np.abs(place) < FARTHEST).all(-1) & (place != 0).any(-1) & (sure > 0)
    kept = np.where(seen[..., None], points, np.nan)
    kept[..., 2] = np.where(seen, np.minimum(sure, 1), 0)
    return kept


def person(
    points: np.ndarray, order: Order, score: float | None = None, who: str | None = None
) -> Person:
    """Somebody of (K, 3) points, of which the order reads the first."""
    kept = cleaned(points[: len(order.points)])
    return Person(kept, float(kept[:, 2].mean()) if score is None else score, who)

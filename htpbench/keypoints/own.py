"""Arrays of keypoints: one's own, rtmlib's, MediaPipe's, and those that lifters' demos leave."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.keypoints import mediapipe
from htpbench.keypoints.found import Asked, Found, Person, cleaned, numbers, person, whole
from htpbench.keypoints.orders import ORDERS, chosen
from htpbench.motion.members import Members, header, quiet

OWN, DEMOS = "arrays", "keypoints of a lifter's demo"
ALWAYS = 2**20  # numbers that any file may hold; more are packed to less than a byte each
PADDED = 8  # how many times more room than they need frames of unlike many people may take
SHAPES = "(frames, points, 2 or 3) or (frames, people, points, 2 or 3)"
SURE = (-0.01, 20.0)  # what a third column may be if it is a confidence


def fits(data: Any) -> bool:
    """Whether JSON is lists of lists of numbers; frames without anybody are empty, or null."""
    while isinstance(data, list) and data:
        data = next((one for one in data if one not in (None, [])), None)
    return isinstance(data, int | float)


def of_json(data: Any, _path: Path, asked: Asked) -> Found:
    """The people of lists of numbers, of unlike many in each frame."""
    lists = [one for one in data if isinstance(one, list)] if isinstance(data, list) else []
    if lists and (None in data or len(set(map(len, lists))) > 1):
        return of_array(*padded(data, None), asked)
    return of_array(numbers(data, OWN), None, asked)


def of_npy(path: Path, asked: Asked) -> Found:
    """The people of a single array."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            dtype, shape = header(file, OWN)
            if dtype.hasobject or math.prod(shape) * dtype.itemsize > size:
                raise BenchError(f"an array {dtype} {shape} in {size} bytes; expected numbers")
            file.seek(0)
            with quiet():
                array = np.lib.format.read_array(file, allow_pickle=False)
    except BenchError:
        raise
    except Exception as fault:  # numpy fails in a dozen ways on damaged bytes
        raise BenchError(f"not a readable npy, perhaps cut short ({fault!s:.200})") from fault
    return of_array(numbers(array, OWN), None, asked)


def bounded(members: Members, key: str) -> Any:
    """A member of no more numbers than a file of this size has."""
    _, shape = members.header(key)
    if math.prod(shape) > ALWAYS + members.file_size:
        raise BenchError(
            f"{key} claims {math.prod(shape)} numbers in a file of {members.file_size} bytes; "
            "expected keypoints"
        )
    return members.value(key)


def demos(members: Members, asked: Asked) -> Found:
    """What the demos of MHFormer, HoT and MotionAGFormer leave: (people, frames, 17, 2 or 3)."""
    points = numbers(bounded(members, "reconstruction"), DEMOS)
    if points.ndim != 4 or points.shape[2] != 17 or points.shape[3] not in (2, 3):
        raise BenchError(
            f"{DEMOS}: reconstruction is {points.shape}; expected (people, frames, 17, 2 or 3)"
        )
    order = chosen(17, asked.order, "h36m")
    rows = with_confidence(points, None)
    names = [str(who) for who in range(len(points))] if len(points) > 1 else [None]
    frames = {
        number: [person(each, order, who=name) for name, each in zip(names, people, strict=True)]
        for number, people in enumerate(rows.swapaxes(0, 1))
    }
    return Found(DEMOS, order, frames)


def of_members(members: Members, asked: Asked, key: str = "keypoints") -> Found:
    """Arrays `keypoints`, `scores`, `size`, `fps` and `layout`, of which the first is needed."""

    def optional(name: str) -> Any:
        return bounded(members, name) if name in members.names and name != key else None

    points, scores, size, fps = bounded(members, key), *map(optional, ("scores", "size", "fps"))
    layout = np.asarray(optional("layout")).reshape(-1)
    told = str(layout[0]) if layout.dtype.kind == "U" and len(layout) == 1 else ""
    if size is not None:
        size = numbers(size, "size").reshape(-1)
        if len(size) != 2:
            raise BenchError(f"size has {len(size)} numbers; expected width and height")
        size = whole(float(size[0]), "size: width"), whole(float(size[1]), "size: height")
    if fps is not None:
        fps = numbers(fps, "fps").reshape(-1)
        if len(fps) != 1 or not fps[0] > 0:
            raise BenchError("fps is not one number above 0; write frames a second")
    rate = None if fps is None else float(fps[0])
    if isinstance(points, list):  # one array a frame
        points, scores = padded(points, scores)
    scores = None if scores is None else numbers(scores, "scores")
    return of_array(numbers(points, key), scores, asked, told, size, rate)


def padded(points: list[Any], scores: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Frames of unlike many people (P, K, 2), or of one (K, 2), with NaN where nobody is."""
    each = [numbers([] if one is None else one, f"frame {n}") for n, one in enumerate(points)]
    each = [one[None] if one.ndim == 2 and one.size else one for one in each]  # (P, K, k)
    if scores is not None and len(scores) != len(each):
        raise BenchError(f"{len(each)} frames of keypoints have {len(scores)} of scores")
    usual = [one for one in each if one.size]
    if not usual or any(one.ndim != 3 or one.shape[1:] != usual[0].shape[1:] for one in usual):
        raise BenchError(f"keypoints are lists of unlike arrays; expected {SHAPES}")
    most = max(map(len, usual))
    if most * len(each) * usual[0][0].size > ALWAYS + PADDED * sum(one.size for one in usual):
        raise BenchError(
            f"up to {most} people in {len(each)} frames, and hardly anybody in most; write one "
            "person's keypoints"
        )
    joined = np.full((len(each), most, *usual[0].shape[1:]), np.nan)  # (N, P, K, k)
    sure = np.zeros((len(each), most, usual[0].shape[1]))  # (N, P, K)
    for number, one in enumerate(each):
        if one.size:
            joined[number, : len(one)] = one
            known = np.ones(one.shape[:2]) if scores is None else numbers(scores[number], "scores")
            known = known[None] if known.ndim == 1 else known  # (P, K)
            if known.shape != one.shape[:2]:
                raise BenchError(f"frame {number}: scores are {known.shape}, not {one.shape[:2]}")
            sure[number, : len(one)] = known
    return joined, None if scores is None and usual[0].shape[2] > 2 else sure


def of_array(
    points: np.ndarray,
    scores: np.ndarray | None,
    asked: Asked,
    told: str = "",
    size: tuple[int, int] | None = None,
    rate: float | None = None,
) -> Found:
    """People by frame, out of (N, K, k) or (N, P, K, k); 33 points are MediaPipe's."""
    if points.ndim == 3:
        points = points[:, None]  # (N, 1, K, k)
        scores = scores[:, None] if scores is not None and scores.ndim == 2 else scores
    if points.ndim != 4 or not points.size or points.shape[3] < 2:
        raise BenchError(f"keypoints are {points.shape}; expected {SHAPES}")
    if scores is not None and scores.shape != points.shape[:3]:
        raise BenchError(f"scores are {scores.shape}; expected {points.shape[:3]}, as keypoints")
    order = chosen(points.shape[2], asked.order, told)
    shares = order is ORDERS["mediapipe33"]
    if shares and scores is None and points.shape[3] > 2:
        rows = mediapipe.of_array(points)
    else:
        rows = with_confidence(points, scores)
    rows = cleaned(rows[:, :, : len(order.points)])
    frames = {
        number: [Person(each, 0.0) for each in people]  # detectors list the surest first
        for number, people in enumerate(rows)
    }
    layout = mediapipe.LAYOUT if shares else OWN
    guessed = order.name == "coco17" and points.shape[2] == 17 and not (told or asked.order)
    note = ("17 points taken for COCO's; else say ,order=",) * guessed
    return Found(layout, order, frames, size, rate, shares, note)


def with_confidence(points: np.ndarray, scores: np.ndarray | None) -> np.ndarray:
    """(..., k) to (..., 3): with scores, else the third column, else 1. BenchError for 3D."""
    if scores is None and points.shape[-1] == 2:
        scores = np.ones(points.shape[:-1])
    if scores is None:
        scores = points[..., 2]
        with np.errstate(invalid="ignore"):
            if points.shape[-1] > 3 or (scores < SURE[0]).any() or (scores > SURE[1]).any():
                raise BenchError(
                    "the third number of the points is no confidence; 3D poses are lifted already, "
                    "and 2D is x, y or x, y, confidence"
                )
    return np.concatenate([points[..., :2], scores[..., None]], axis=-1)

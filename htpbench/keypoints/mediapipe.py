"""MediaPipe's 33 landmarks, as JSON: a list of them for each frame."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.keypoints.found import Asked, Found, Person, numbers, person
from htpbench.keypoints.orders import ORDERS, chosen

LAYOUT = "MediaPipe"


def fits(data: Any) -> bool:
    """Whether this is the layout; frames without a person are empty, or null."""
    frames = [one for one in data if one] if isinstance(data, list) else []
    first = frames[0] if frames else None
    return isinstance(first, list) and isinstance(first[0], dict) and {"x", "y"} <= first[0].keys()


def read(data: list[Any], _path: Path, asked: Asked) -> Found:
    """The person by frame; x and y are shares of the image's width and height."""
    order = ORDERS["mediapipe33"]
    chosen(order.counts[0], asked.order, order.name)
    frames: dict[int, list[Person]] = {}
    for number, landmarks in enumerate(data):
        where = f"{LAYOUT}: frame {number}"
        if not landmarks:
            frames[number] = []
            continue
        if not isinstance(landmarks, list) or not all(isinstance(one, dict) for one in landmarks):
            raise BenchError(
                f"{where} is no list of landmarks; expected 33 of {{x, y, visibility}}"
            )
        rows = [[one.get("x"), one.get("y"), one.get("visibility", 1.0)] for one in landmarks]
        points = numbers(rows, where)  # (33, 3)
        if len(points) not in order.counts:
            raise BenchError(f"{where} has {len(points)} landmarks; expected {order.counts[0]}")
        frames[number] = [person(points, order)]
    return Found(LAYOUT, order, frames, shares=True)


def of_array(points: np.ndarray) -> np.ndarray:
    """(N, P, 33, k): x, y, z, visibility (absent: 1), to x, y, confidence."""
    sure = points[..., 3] if points.shape[-1] > 3 else np.ones(points.shape[:-1])
    return np.concatenate([points[..., :2], sure[..., None]], axis=-1)

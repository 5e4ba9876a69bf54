"""What AlphaPose writes: a list of people, or people by the name of a picture (open, cmu)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from htpbench.errors import BenchError
from htpbench.keypoints.found import Asked, Found, Person, identity, person, score_of, triples
from htpbench.keypoints.numbering import numbered, stem
from htpbench.keypoints.orders import chosen, empty

LIST, BY_PICTURE = "AlphaPose", "AlphaPose, format open or cmu"
GROUPS = {"people": "pose_keypoints_2d", "bodies": "joints"}  # of format open, of cmu


def fits(data: Any) -> bool:
    """Whether this is one of the layouts."""
    if isinstance(data, dict):
        return bool(data) and all(
            isinstance(one, dict) and one.keys() & GROUPS.keys() for one in data.values()
        )
    first = data[0] if isinstance(data, list) and data else None
    return isinstance(first, dict) and {"keypoints", "image_id"} <= first.keys()


def read(data: Any, _path: Path, asked: Asked) -> Found:
    """People by frame; a frame without people is absent from a list."""
    layout, rows = (
        (BY_PICTURE, by_picture(data)) if isinstance(data, dict) else (LIST, listed(data))
    )
    pictures = numbered(dict.fromkeys(name for name, _ in rows))
    frames: dict[int, list[Person]] = {number: [] for number in pictures.values()}
    order = None
    for name, one in rows:
        if one is None:
            continue
        where = f"{layout}: {name[:60]}"
        points = triples(one["keypoints"], where)
        order = order or chosen(len(points), asked.order)
        if len(points) not in order.counts:
            raise BenchError(f"{where} has {len(points)} points; expected {order.counts[0]}")
        found = person(points, order, score_of(one.get("score")), identity(one.get("idx")))
        frames[pictures[name]].append(found)
    return Found(layout, order or empty(17, asked.order), frames)


def listed(data: list[Any]) -> list[tuple[str, dict[str, Any] | None]]:
    """Each person with the name of the picture, without what comes after the last dot."""
    rows = []
    for at, one in enumerate(data):
        name = one.get("image_id") if isinstance(one, dict) else None
        if type(name) not in (str, int) or "keypoints" not in one:
            raise BenchError(f"{LIST}: entry {at} has no image_id or no keypoints; expected both")
        rows.append((stem(str(name)), one))
    return rows


def by_picture(data: dict[str, Any]) -> list[tuple[str, dict[str, Any] | None]]:
    """Each person with the name of the picture; None for a picture without people."""
    rows: list[tuple[str, dict[str, Any] | None]] = []
    for name, told in data.items():
        group = next(key for key in GROUPS if key in told)
        if not isinstance(told[group], list):
            raise BenchError(f"{BY_PICTURE}: {name[:60]}: {group} is no list of people")
        rows.append((stem(name), None))
        for one in told[group]:
            if not isinstance(one, dict) or GROUPS[group] not in one:
                raise BenchError(f"{BY_PICTURE}: {name[:60]}: somebody has no {GROUPS[group]}")
            rows.append((stem(name), {"keypoints": one[GROUPS[group]]}))
    return rows

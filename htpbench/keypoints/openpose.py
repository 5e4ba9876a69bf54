"""What OpenPose writes: a folder with a file a frame."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from htpbench.errors import BenchError
from htpbench.keypoints.found import MOST_JSON, Asked, Found, Person, identity, person, triples
from htpbench.keypoints.numbering import numbered
from htpbench.keypoints.orders import Order, chosen, empty
from htpbench.outside import files

LAYOUT, ENDING = "OpenPose", "_keypoints.json"


def fits(data: Any) -> bool:
    """Whether this is one file of the layout."""
    return isinstance(data, dict) and "people" in data


def read(data: Any, path: Path, asked: Asked) -> Found:
    """The people of a single file, which is one frame."""
    name = path.name.removesuffix(ENDING)
    return joined([(path, data)], {path: numbered([name])[name]}, asked)


def folder(path: Path, asked: Asked) -> Found:
    """People by frame: of all files of a folder, which have the frame's number in their names."""
    try:
        inside = sorted(one for one in os.listdir(path) if one.endswith(ENDING))
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from error
    inside = [one for one in inside if not one.startswith(".")]  # which macOS leaves on disks
    if not inside:
        raise BenchError(
            f"a folder without files *{ENDING}; expected what OpenPose writes with --write_json, "
            "or the file of another detector"
        )
    numbers = numbered(name.removesuffix(ENDING) for name in inside)
    places = {path / name: numbers[name.removesuffix(ENDING)] for name in inside}
    return joined(((one, files.load_json(one, MOST_JSON)) for one in places), places, asked)


def joined(data: Iterable[tuple[Path, Any]], numbers: dict[Path, int], asked: Asked) -> Found:
    """People by frame, out of what each file holds; one file at a time, for faces fill memory."""
    frames: dict[int, list[Person]] = {}
    order: Order | None = None
    for place, held in data:
        where = f"{LAYOUT}: {place.name}"
        people = held.get("people") if isinstance(held, dict) else None
        if not isinstance(people, list):
            raise BenchError(f"{where} has no list `people`; expected a file of OpenPose")
        seen = frames.setdefault(numbers[place], [])
        for one in people:
            flat = one.get("pose_keypoints_2d") if isinstance(one, dict) else None
            if flat is None:
                raise BenchError(f"{where}: somebody has no pose_keypoints_2d; expected it")
            points = triples(flat, where)
            order = order or chosen(len(points), asked.order)
            if len(points) not in order.counts:
                raise BenchError(f"{where} has {len(points)} points; expected {order.counts[0]}")
            seen.append(person(points, order, who=identity(one.get("person_id"))))
    return Found(LAYOUT, order or empty(25, asked.order), frames)

"""Results as COCO has them (MMPose's tests, ViTPose): a list of people, each with an image's id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from htpbench.errors import BenchError
from htpbench.keypoints.found import (
    MOST_JSON,
    Asked,
    Found,
    Person,
    identity,
    person,
    score_of,
    triples,
    whole,
)
from htpbench.keypoints.numbering import numbered, stem
from htpbench.keypoints.orders import chosen
from htpbench.outside import files

LAYOUT = "COCO results"


def fits(data: Any) -> bool:
    """Whether this is the layout."""
    first = data[0] if isinstance(data, list) and data else None
    return (
        isinstance(first, dict)
        and "keypoints" in first
        and type(first.get("image_id")) is int
        and not first.keys() & {"box", "idx"}
    )


def read(data: list[Any], _path: Path, asked: Asked) -> Found:
    """People by frame. Ids are not numbers of frames: the list of images says what they are."""
    people: dict[int, list[Person]] = {}
    order = None
    for at, one in enumerate(data):
        if not isinstance(one, dict):
            raise BenchError(f"{LAYOUT}: entry {at} is no object; expected image_id and keypoints")
        where = f"{LAYOUT}: entry {at}"
        points = triples(one.get("keypoints"), where)
        order = order or chosen(len(points), asked.order)
        if len(points) not in order.counts:
            raise BenchError(f"{where} has {len(points)} points; expected {order.counts[0]}")
        found = person(points, order, score_of(one.get("score")), identity(one.get("track_id")))
        people.setdefault(whole(one.get("image_id"), f"{where}: image_id"), []).append(found)
    assert order is not None
    if asked.images:
        numbers, size = listed(Path(asked.images))
        if foreign := people.keys() - numbers.keys():
            raise BenchError(
                f"image_id {min(foreign)} is not among the {len(numbers)} images of "
                f"{asked.images}; give the annotation file that the results belong to"
            )
        frames = {number: people.get(one, []) for one, number in numbers.items()}
        return Found(LAYOUT, order, frames, size)
    frames = {number: people[one] for number, one in enumerate(sorted(people))}
    note = "images in the order of their ids; ,images=ANNOTATIONS.json tells their names"
    return Found(LAYOUT, order, frames, notes=(note,))


def listed(path: Path) -> tuple[dict[int, int], tuple[int, int] | None]:
    """The number of each image's frame by its id, in the order of names, and their size."""
    data = files.load_json(path, MOST_JSON)
    images = data.get("images") if isinstance(data, dict) else None
    if not isinstance(images, list) or not images:
        raise BenchError(f"{path}: has no list `images`; expected the annotation file of COCO")
    names: dict[int, str] = {}
    sizes = set()
    for at, one in enumerate(images):
        name = one.get("file_name") if isinstance(one, dict) else None
        if not isinstance(name, str):
            raise BenchError(f"{path}: image {at} has no file_name; expected one")
        where = f"{path}: image {at}"
        names[whole(one.get("id"), f"{where}: id")] = stem(name)
        if "width" in one and "height" in one:
            sides = whole(one["width"], f"{where}: width"), whole(one["height"], f"{where}: height")
            sizes.add(sides)
    if len(sizes) > 1:
        raise BenchError(f"{path}: images of {len(sizes)} sizes; expected those of one video")
    try:
        order = numbered(names.values())
    except BenchError as fault:
        raise BenchError(f"{path}: {fault}") from fault
    ranked = sorted(names, key=lambda one: order[names[one]])
    return {one: number for number, one in enumerate(ranked)}, sizes.pop() if sizes else None

"""What MMPose 1 writes: its inferencer, for a video or a picture, and its demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.keypoints.found import (
    Asked,
    Found,
    Person,
    identity,
    numbers,
    person,
    score_of,
    whole,
)
from htpbench.keypoints.orders import Order, chosen, empty, named

INFERENCER, DEMO = "MMPose inferencer", "MMPose demo"


def fits(data: Any) -> bool:
    """Whether this is one of the layouts."""
    if isinstance(data, dict):
        return "instance_info" in data
    first = data[0] if isinstance(data, list) and data else None
    usual = ({"frame_id", "instances"}, {"keypoints", "keypoint_scores"})
    return isinstance(first, dict) and any(names <= first.keys() for names in usual)


def read(data: Any, _path: Path, asked: Asked) -> Found:
    """People by frame; the demo numbers frames from 1, and names the joints."""
    if isinstance(data, dict):
        return of(data["instance_info"], DEMO, 1, joints(data.get("meta_info")), asked)
    if "instances" in data[0]:
        return of(data, INFERENCER, 0, None, asked)
    return of([{"frame_id": 0, "instances": data}], f"{INFERENCER}, a picture", 0, None, asked)


def joints(told: Any) -> Order | None:
    """The order that the demo's meta_info names; None where it names none."""
    names = told.get("keypoint_id2name") if isinstance(told, dict) else None
    if not isinstance(names, dict) or not names:
        return None
    ordered = [names.get(str(number)) for number in range(len(names))]
    if not all(isinstance(name, str) for name in ordered):
        raise BenchError(f"{DEMO}: keypoint_id2name does not name the joints 0, 1, 2, ...")
    return named([str(name) for name in ordered])


def of(rows: Any, layout: str, first: int, order: Order | None, asked: Asked) -> Found:
    """People of rows {frame_id, instances}, the first frame called `first`, or 0 where that is."""
    if not isinstance(rows, list):
        raise BenchError(f"{layout}: expected a list of frames")
    told = order.name if order else ""
    if any(isinstance(row, dict) and row.get("frame_id") == 0 for row in rows):
        first = 0
    frames: dict[int, list[Person]] = {}
    for at, row in enumerate(rows):
        people = row.get("instances") if isinstance(row, dict) else None
        if not isinstance(people, list):
            raise BenchError(f"{layout}: entry {at} has no instances; expected a list of people")
        frame = whole(row.get("frame_id"), f"{layout}: entry {at}: frame_id") - first
        if frame in frames:
            raise BenchError(f"{layout}: frame_id {frame + first} is there twice; write it once")
        frames[frame] = []
        for one in people:
            where = f"{layout}: frame_id {frame + first}"
            if not isinstance(one, dict):
                raise BenchError(f"{where}: an instance is no object; expected keypoints")
            points = with_scores(one, where)
            order = order or chosen(len(points), asked.order, told)
            if len(points) not in order.counts:
                raise BenchError(f"{where} has {len(points)} points; expected {order.counts[0]}")
            score, who = score_of(one.get("bbox_score")), identity(one.get("track_id"))
            frames[frame].append(person(points, order, score, who))
    if asked.order and told and order:
        chosen(order.counts[0], asked.order, told)
    return Found(layout, order or empty(17, asked.order), frames)


def with_scores(one: dict[str, Any], where: str) -> np.ndarray:
    """(K, 3) of an instance; BenchError for 3D."""
    place = numbers(one.get("keypoints"), where)
    if place.ndim == 2 and place.shape[1] == 3:
        raise BenchError(
            f"{where}: keypoints have 3 coordinates: MMPose's 3D poses, which are lifted already; "
            "give the file of its 2D detector"
        )
    if place.ndim != 2 or place.shape[1] != 2:
        raise BenchError(f"{where}: expected keypoints [[x, y], ...]; found shape {place.shape}")
    sure = numbers(one.get("keypoint_scores", [1.0] * len(place)), where)
    if sure.shape != (len(place),):
        raise BenchError(f"{where}: {len(place)} keypoints have scores of shape {sure.shape}")
    return np.concatenate([place, sure[:, None]], axis=1)

"""What VideoPose3D's scripts leave: Detectron's boxes and keypoints, and its custom data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.keypoints.found import Asked, Found, Person, numbers, person, whole
from htpbench.keypoints.orders import chosen
from htpbench.motion.members import Members

LAYOUT, CUSTOM = "Detectron", "VideoPose3D, custom"


def read(members: Members, asked: Asked) -> Found:
    """People by frame: the class of persons, rows x, y, logit and probability."""
    keypoints, boxes = members.value("keypoints"), members.value("boxes")
    if not isinstance(keypoints, list) or not isinstance(boxes, list):
        raise BenchError(f"{LAYOUT}: expected lists of frames in keypoints and boxes")
    if len(keypoints) != len(boxes):
        raise BenchError(
            f"{LAYOUT}: {len(keypoints)} frames of keypoints and {len(boxes)} of boxes"
        )
    order = chosen(17, asked.order, "coco")
    frames: dict[int, list[Person]] = {}
    for number, (classes, boxed) in enumerate(zip(keypoints, boxes, strict=True)):
        where = f"{LAYOUT}: frame {number}"
        points, box = of_people(classes, where), of_people(boxed, where)
        frames[number] = []
        if not points.size:
            continue
        if points.ndim != 3 or points.shape[1:] != (4, 17):
            raise BenchError(f"{where} has keypoints {points.shape}; expected (people, 4, 17)")
        if box.ndim != 2 or box.shape[1] != 5 or len(box) != len(points):
            raise BenchError(f"{where} has boxes {box.shape}; expected ({len(points)}, 5)")
        rows = points[:, [0, 1, 3]].transpose(0, 2, 1)  # (P, 4, 17) -> (P, 17, 3)
        frames[number] = [person(p, order, float(b[4])) for p, b in zip(rows, box, strict=True)]
    told = members.value("metadata") if "metadata" in members.names else None
    return Found(LAYOUT, order, frames, size(told))


def of_people(classes: Any, where: str) -> np.ndarray:
    """What a frame has of the second class, which is that of persons; Detectron 1 writes None."""
    if classes is None:
        return np.empty(0)
    if not isinstance(classes, list | tuple | np.ndarray) or len(classes) < 2:
        raise BenchError(f"{where}: expected one list for each class, persons second")
    return numbers(classes[1], where)


def custom(members: Members, asked: Asked) -> Found:
    """The keypoints of one of the videos, in px."""
    videos = members.value("positions_2d")
    told = members.value("metadata") if "metadata" in members.names else {}
    told = told if isinstance(told, dict) else {}
    usual = isinstance(videos, dict) and videos
    if not usual or not all(isinstance(one, dict) and "custom" in one for one in videos.values()):
        raise BenchError(
            "2D keypoints of Human3.6M or HumanEva in VideoPose3D's layout, by subject and action: "
            "a data set, no user's video; expected {video: {'custom': [keypoints]}} here"
        )
    videos = {str(name): one for name, one in videos.items()}
    names = ", ".join(list(videos)[:10])
    if asked.video and asked.video not in videos:
        raise BenchError(f"there is no video {asked.video!r:.60}; there are {names}: ,video=NAME")
    if len(videos) > 1 and not asked.video:
        raise BenchError(f"it has {len(videos)} videos: {names}; name one: ,video=NAME")
    video = asked.video or next(iter(videos))
    held = videos[video]["custom"]
    if not isinstance(held, list | tuple | np.ndarray) or len(held) != 1:
        raise BenchError(f"{CUSTOM}: {video:.60} is no list of one array; write one")
    points = numbers(held[0], f"{CUSTOM}: {video:.60}")
    if points.ndim != 3 or points.shape[2] not in (2, 3):
        raise BenchError(f"{CUSTOM}: keypoints are {points.shape}; expected (frames, 17, 2 or 3)")
    layout = told.get("layout_name")
    order = chosen(points.shape[1], asked.order, layout if isinstance(layout, str) else "")
    if points.shape[2] == 2:
        points = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    frames = {number: [person(each, order)] for number, each in enumerate(points)}
    sizes = told.get("video_metadata")
    return Found(CUSTOM, order, frames, size(sizes.get(video) if isinstance(sizes, dict) else None))


def size(told: Any) -> tuple[int, int] | None:
    """Width and height, as metadata have them."""
    if not isinstance(told, dict) or not {"w", "h"} <= told.keys():
        return None
    return whole(told["w"], "metadata: w"), whole(told["h"], "metadata: h")

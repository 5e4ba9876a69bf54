"""The orders in which detectors list the points of a body, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from htpbench.errors import BenchError, unknown

ELSE = "-"  # a point that no map needs
FACE = ("nose", "leye", "reye", "lear", "rear")


@dataclass(frozen=True)
class Order:
    """The points that are read, in their order; `counts`: how many points such a person may have.

    Names begin with l or r where there are two sides. Where a person has more points than are
    read, they are the first.
    """

    name: str
    title: str
    points: tuple[str, ...]
    counts: tuple[int, ...]


def order(name: str, title: str, points: str, *more: int) -> Order:
    """An Order whose points are told as words."""
    words = tuple(points.split())
    return Order(name, title, words, (len(words), *more))


COCO = (
    "nose leye reye lear rear lshoulder rshoulder lelbow relbow lwrist rwrist lhip rhip "
    "lknee rknee lankle rankle"
)
ARMS = "rshoulder relbow rwrist lshoulder lelbow lwrist"
LEGS = "rhip rknee rankle lhip lknee lankle"
ORDERS = {
    one.name: one
    for one in (
        # Halpe with 68 and 136 points and the whole bodies of COCO begin with COCO's
        order("coco17", "COCO", COCO, 68, 133, 136),
        order("halpe26", "Halpe-26", f"{COCO} head neck hip - - - - - -"),
        order("body25", "BODY_25", f"nose neck {ARMS} hip {LEGS} reye leye rear lear - - - - - -"),
        order("coco18", "COCO-18 of OpenPose", f"nose neck {ARMS} {LEGS} reye leye rear lear"),
        order(
            "mediapipe33",
            "MediaPipe",
            "nose - leye - - reye - lear rear - - lshoulder rshoulder lelbow relbow lwrist rwrist "
            "- - - - - - lhip rhip lknee rknee lankle rankle - - - -",
        ),
        order("aic", "AIC", f"{ARMS} {LEGS} crown neck"),
        order(
            "crowdpose",
            "CrowdPose",
            "lshoulder rshoulder lelbow relbow lwrist rwrist lhip rhip lknee rknee lankle rankle "
            "crown neck",
        ),
        order(
            "h36m17",
            "H36M",
            f"hip {LEGS} spine thorax neck head lshoulder lelbow lwrist rshoulder relbow rwrist",
        ),
    )
}
CALLED = {
    "coco": "coco17",
    "cocowholebody": "coco17",
    "wholebody": "coco17",
    "halpe": "halpe26",
    "halpe136": "coco17",
    "openpose25": "body25",
    "openpose18": "coco18",
    "openposecoco": "coco18",
    "mediapipe": "mediapipe33",
    "blazepose": "mediapipe33",
    "h36m": "h36m17",
    "human36m": "h36m17",
}
SAME = {  # as MMPose calls points -> as they are called here
    "root": "hip",
    "pelvis": "hip",
    "rfoot": "rankle",
    "lfoot": "lankle",
    "neckbase": "neck",
    "headtop": "crown",
    "tophead": "crown",
}


def called(name: str) -> Order:
    """The order of a name, however it is spelt: "coco", "Halpe-26", "BODY_25", ..."""
    plain = re.sub(r"[\W_]", "", name.lower())
    plain = CALLED.get(plain, plain)
    if plain not in ORDERS:
        raise unknown("order of joints", name, [*ORDERS, *CALLED])
    return ORDERS[plain]


def chosen(count: int, asked: str, told: str = "") -> Order:
    """The order of people of `count` points: as the file tells, else as is asked, else by count."""
    if told:
        found = called(told)
        if asked and called(asked) is not found:
            raise BenchError(
                f"its joints are in the order of {found.title}; order={asked} contradicts it; "
                "leave it out"
            )
    elif asked:
        found = called(asked)
    else:
        found = counted(count)
    if count not in found.counts:
        raise BenchError(
            f"a person has {count} points; expected {' or '.join(map(str, found.counts))} in the "
            f"order of {found.title}; name the right one: ,order="
        )
    return found


def empty(count: int, asked: str) -> Order:
    """The order of a file in which nobody is seen: as is asked, else by the usual count."""
    return called(asked) if asked else counted(count)


def counted(count: int) -> Order:
    """The order that has so many points; COCO's where 17 are, which may also be H36M's."""
    fits = [one for one in ORDERS.values() if count in one.counts]
    if not fits:
        known = sorted({count for one in ORDERS.values() for count in one.counts})
        raise BenchError(
            f"a person has {count} points; known orders have {', '.join(map(str, known))}; write "
            "one of these"
        )
    if len(fits) > 1 and fits[0].name != "coco17":
        names = " or ".join(f",order={one.name}" for one in fits)
        raise BenchError(f"{count} points may be in two orders; say which behind the path: {names}")
    return fits[0]


def named(names: Sequence[str]) -> Order:
    """The order in which points of these names stand; BenchError where it is not known."""
    short = [re.sub(r"^(l|r)(?:eft|ight)_", r"\1", name.lower()) for name in names]
    short = [re.sub(r"[\W_]", "", name) for name in short]
    short = [SAME.get(name, name) for name in short]
    for one in ORDERS.values():
        pairs = zip(one.points, short, strict=False)
        if len(short) in one.counts and all(a in (ELSE, b) for a, b in pairs):
            return one
    raise BenchError(
        f"its {len(names)} joints ({', '.join(names)[:120]}...) are in no order that is known: "
        f"{', '.join(one.title for one in ORDERS.values())}; use a model of one of these"
    )


def words(point: str) -> str:
    """A point as a message calls it."""
    side = {"l": "left ", "r": "right "}.get(point[0], "") if point[1:] in PAIRED else ""
    return f"{side}{point[1:]}" if side else point


PAIRED = {"eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"}

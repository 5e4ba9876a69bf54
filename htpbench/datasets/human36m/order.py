"""In which order a file of 2D lists the joints, and how they become the 17."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.keypoints.mapping import mapping
from htpbench.keypoints.orders import ORDERS
from htpbench.motion.skeleton import JOINTS, LEFT, RIGHT

# joints, left, right: as `num_joints` and `keypoints_symmetry` of VideoPose3D's files have them
H36M, COCO, SIXTEEN = "h36m", "coco", "mpii"
KNOWN = {
    H36M: (17, set(LEFT), set(RIGHT)),
    COCO: (17, {*range(1, 17, 2)}, {*range(2, 17, 2)}),
    SIXTEEN: (16, {3, 4, 5, 13, 14, 15}, {0, 1, 2, 10, 11, 12}),
}
TITLES = {H36M: "Human3.6M's", COCO: "COCO's", SIXTEEN: "the 16 of stacked hourglass"}
# joint i of the 17 is this one of the 16; the nose, 9, is not among them
OF_SIXTEEN = (6, 2, 1, 0, 3, 4, 5, 7, 8, 8, 9, 13, 14, 15, 12, 11, 10)
BETWEEN = (9, 8, 10)  # a joint of the 17 and those in whose middle it is put


@dataclass(frozen=True, eq=False)
class Arrangement:
    """An order of joints. `count`: how many; `told`: what the card says of how they were mapped.

    Called with detections (M, count, 2 or 3), px and confidence, it gives (M, 17, 2 or 3).
    """

    count: int
    told: str
    mapped: Callable[[np.ndarray], np.ndarray]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(M, count, 2 or more) to (M, 17, 2 or 3)."""
        with np.errstate(all="ignore"):  # whatever a file holds is judged later
            return self.mapped(points[..., :3])


def arrangement(metadata: Any, joints: str) -> Arrangement:
    """The order that a file's metadata names; `joints`: the map, where its joints are others."""
    name = named(metadata)
    count = KNOWN[name][0]
    if name == H36M:
        return Arrangement(count, "as in the file", lambda points: points)
    if not joints:
        raise BenchError(
            f"its 2D is in another order than Human3.6M's: {TITLES[name]}; networks learned the "
            "latter, so name a map if this is what you want: ,joints=demo or ,joints=midpoint"
        )
    if name == COCO:
        return Arrangement(count, f"COCO, {joints}", lambda points: of_coco(points, joints))
    told = "16 joints; 9 is the middle of 8 and 10"
    return Arrangement(count, told, of_sixteen)


def named(metadata: Any) -> str:
    """The name of an order, by `layout_name`, else by which joints are left and right."""
    if not isinstance(metadata, Mapping):
        raise BenchError(f"its metadata is a {type(metadata).__name__}; expected a dictionary")
    told = metadata.get("layout_name")
    told = told.decode("latin1") if isinstance(told, bytes) else told
    sides = sets(metadata.get("keypoints_symmetry"))
    by_name = told.lower() if isinstance(told, str) and told.lower() in KNOWN else None
    by_sides = next((name for name, known in KNOWN.items() if list(known[1:]) == sides), None)
    name = by_name or by_sides
    expected = f"expected {', '.join(map(repr, KNOWN))} as layout_name, or their keypoints_symmetry"
    if name is None:
        raise BenchError(
            f"its metadata names no order of joints that is known: layout_name is {told!r:.60} "
            f"and keypoints_symmetry {sides!r:.120}; {expected}"
        )
    if by_sides not in (None, name):
        raise BenchError(
            f"its metadata contradicts itself: layout_name is {told!r}, and keypoints_symmetry "
            f"that of {by_sides!r}; {expected}"
        )
    count = metadata.get("num_joints", KNOWN[name][0])
    if not isinstance(count, int) or count != KNOWN[name][0]:
        raise BenchError(
            f"its metadata says num_joints {count!r:.60}; {TITLES[name]} are {KNOWN[name][0]}"
        )
    return name


def sets(sides: Any) -> list[set[int]] | None:
    """Left and right joints; None where they are not told."""
    try:
        return [set(np.ravel(side).tolist()) for side in sides]
    except (TypeError, ValueError):
        return None


def of_coco(points: np.ndarray, joints: str) -> np.ndarray:
    """(M, 17, 2 or 3) in COCO's order, by one of the maps of keypoints."""
    width = points.shape[2]
    whole = np.ones((*points.shape[:2], 3))
    whole[..., :width] = points
    return mapping(ORDERS["coco17"], joints)(whole)[..., :width]


def of_sixteen(points: np.ndarray) -> np.ndarray:
    """(M, 16, 2 or 3) with a joint put between two others."""
    found = points[:, OF_SIXTEEN]  # (M, 16, k) -> (M, 17, k)
    assert found.shape[1] == len(JOINTS)
    joint, one, other = BETWEEN
    found[:, joint, :2] = (found[:, one, :2] + found[:, other, :2]) / 2
    found[:, joint, 2:] = np.minimum(found[:, one, 2:], found[:, other, 2:])
    return found

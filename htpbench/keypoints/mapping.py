"""Maps from a detector's points to H36M's 17 joints. Limbs are copied; trunk and head differ.

Every joint is a weighted sum of points, so a map is a matrix for x and one for y.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.keypoints.orders import FACE, Order
from htpbench.motion.skeleton import JOINTS

MAPS = ("midpoint", "demo")
LIMBS = {
    **{1: "rhip", 2: "rknee", 3: "rankle", 4: "lhip", 5: "lknee", 6: "lankle"},
    **{11: "lshoulder", 12: "lelbow", 13: "lwrist", 14: "rshoulder", 15: "relbow", 16: "rwrist"},
}
OWN_TRUNK = {"halpe26", "body25"}  # have the middle of the hips and the neck as points
DIGITS = 9  # of a weight; what is left of two that cancel is 0


@dataclass(frozen=True, eq=False)
class Mapping:
    """Weights (17, K) of the points in x and in y; `name`: what the card says.

    `lowest`: the confidence is the lowest of the points that are used, else their mean.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    lowest: bool

    @property
    def used(self) -> np.ndarray:
        """(17, K) bool: the points that a joint is made of."""
        return np.logical_or(self.x.round(DIGITS), self.y.round(DIGITS))

    @property
    def needed(self) -> np.ndarray:
        """(K,) bool: the points that any joint is made of."""
        return np.logical_or.reduce(self.used)  # (17, K) -> (K,)

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """(T, K, 3) to (T, 17, 3), px; every point that is needed has a place."""
        place = np.where(self.needed[:, None], points[..., :2], 0)  # (T, K, 2)
        sure = [points[:, used, 2] for used in self.used]  # 17 of (T, n)
        joints = np.empty((len(points), len(JOINTS), 3))
        joints[..., 0] = place[..., 0] @ self.x.T  # (T, K) (K, 17) -> (T, 17)
        joints[..., 1] = place[..., 1] @ self.y.T
        for joint, each in enumerate(sure):
            joints[:, joint, 2] = each.min(axis=1) if self.lowest else each.mean(axis=1)
        return joints


def mapping(order: Order, name: str) -> Mapping:
    """The map of a name for an order; H36M's own needs none. BenchError for an unknown one."""
    if name not in MAPS:
        raise unknown("map of joints", name, MAPS)
    if order.name == "h36m17":
        same = np.eye(len(JOINTS))
        return Mapping("as in the file", same, same, lowest=True)
    unit = dict(zip(order.points, np.eye(len(order.points)), strict=True))  # each a row (K,)
    if name == "midpoint":
        weights = midpoint(order, unit)
        return Mapping(name, weights, weights, lowest=True)
    if missing := [point for point in FACE if point not in unit]:
        raise BenchError(
            f"the map demo needs eyes, ears and nose; {order.title} has no {', '.join(missing)}; "
            "choose ,joints=midpoint (lift: --joints midpoint)"
        )
    x, y = demo(unit)
    return Mapping(name, x, y, lowest=False)


def midpoint(order: Order, unit: dict[str, np.ndarray]) -> np.ndarray:
    """MotionBERT's and MMPose's: middles, or the detector's own neck, hip and head (17, K)."""
    rows = {joint: unit[point] for joint, point in LIMBS.items()}
    own = order.name in OWN_TRUNK
    rows[0] = unit["hip"] if own else middle(unit, "hip")
    rows[8] = unit["neck"] if own else middle(unit, "shoulder")
    rows[7] = (rows[0] + rows[8]) / 2
    if "crown" in unit:  # no face
        rows[9] = (3 * unit["neck"] + unit["crown"]) / 4
        rows[10] = (5 * unit["neck"] + 7 * unit["crown"]) / 12
    else:
        rows[9] = unit["nose"]
        rows[10] = unit["head"] if "head" in unit else middle(unit, "eye")
    return np.stack([rows[joint] for joint in range(len(JOINTS))])


def demo(unit: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """That of the demos of GAST-Net, MHFormer, HoT and MotionAGFormer, y down: (17, K) twice."""
    x = {joint: unit[point] for joint, point in LIMBS.items()}
    shoulders, hips, eyes = (middle(unit, what) for what in ("shoulder", "hip", "eye"))
    nose, ears = unit["nose"], middle(unit, "ear")
    thorax, spine = shoulders + (nose - shoulders) / 3, (shoulders + hips) / 2
    x[0], x[8], x[9] = hips, thorax, nose - (nose - shoulders) / 4
    y = dict(x)
    y[7], y[8], y[10] = spine, thorax - (eyes - nose) * 2 / 3, 2 * eyes - nose
    x[7], x[10] = spine + 2 * (spine - (hips + thorax) / 2), (eyes + ears) / 2
    both = [np.stack([rows[joint] for joint in range(len(JOINTS))]) for rows in (x, y)]
    return both[0], both[1]


def middle(unit: dict[str, np.ndarray], what: str) -> np.ndarray:
    """Between the left and the right one."""
    return (unit[f"l{what}"] + unit[f"r{what}"]) / 2

"""A body and how it is posed: limbs follow hands and feet, so feet can stand still on the floor.

Body axes are x forward, y left, z up; lengths are mm, angles are radians.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Body:
    """Bone lengths, alike on both sides; `ankle` is the height of a standing ankle."""

    ankle: float
    shank: float
    thigh: float
    hip: float
    spine: float
    thorax: float
    neck: float
    head: float
    shoulder: float
    upper_arm: float
    forearm: float

    @property
    def leg(self) -> float:
        """Hip to ankle, stretched."""
        return self.thigh + self.shank


@dataclass(eq=False)
class Plan:
    """What the body is to do in each of n frames; sides are left, then right.

    `turn` (pelvis against heading), `chest` (against pelvis) and `face` (against chest) are yaw to
    the left, pitch forward and roll to the right. `wrists` are seen from their shoulders in chest
    axes, y outward, in arm lengths. `splay` is how far the knees point outward.
    """

    pelvis: np.ndarray  # (n, 3) world
    heading: np.ndarray  # (n,)
    turn: np.ndarray  # (n, 3)
    chest: np.ndarray  # (n, 3)
    face: np.ndarray  # (n, 3)
    ankles: np.ndarray  # (n, 2, 3) world
    wrists: np.ndarray  # (n, 2, 3)
    splay: np.ndarray  # (n,)

    def crop(self, margin: int) -> Plan:
        """The plan without its first and last `margin` frames."""
        return Plan(*(getattr(self, field.name)[margin:-margin] for field in fields(self)))


def pose(body: Body, plan: Plan) -> np.ndarray:
    """The 17 joints (n, 17, 3) in the world, mm; bones keep their lengths exactly."""
    joints = np.empty((len(plan.heading), 17, 3))
    yaw = plan.heading[:, None] * np.array([1.0, 0, 0])
    base = rotation(yaw + plan.turn)  # (n, 3, 3)
    chest = base @ rotation(plan.chest)
    face = chest @ rotation(plan.face)
    joints[:, 0] = plan.pelvis
    joints[:, 7] = joints[:, 0] + base @ rotation(plan.chest / 2) @ [0, 0, body.spine]
    joints[:, 8] = joints[:, 7] + chest @ [0, 0, body.thorax]
    joints[:, 9] = joints[:, 8] + face @ [body.neck * 0.4, 0, body.neck * 0.84**0.5]
    joints[:, 10] = joints[:, 9] + face @ [-body.head * 0.3, 0, body.head * 0.91**0.5]
    for side, (hip, shoulder) in enumerate(((4, 11), (1, 14))):
        out = 1 - 2 * side
        joints[:, hip] = joints[:, 0] + base @ [0, out * body.hip, 0]
        knee_way = (rotation(yaw) @ [[1, 0], [0, out], [0, 0]]) @ _columns(1, plan.splay)
        joints[:, hip + 1], joints[:, hip + 2] = _limb(
            joints[:, hip], plan.ankles[:, side], body.thigh, body.shank, knee_way[..., 0]
        )
        joints[:, shoulder] = joints[:, 8] + chest @ [0, out * body.shoulder, 0]
        wrist = plan.wrists[:, side] * [1, out, 1]  # (n, 3) chest axes, arm lengths
        reach = (body.upper_arm + body.forearm) * (chest @ wrist[..., None])[..., 0]
        elbow_way = (chest @ _elbow_way(wrist, out)[..., None])[..., 0]
        joints[:, shoulder + 1], joints[:, shoulder + 2] = _limb(
            joints[:, shoulder],
            joints[:, shoulder] + reach,
            body.upper_arm,
            body.forearm,
            elbow_way,
        )
    return joints


def rotation(angles: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll (n, 3) to matrices (n, 3, 3): roll first, about body axes."""
    (ca, cb, cc), (sa, sb, sc) = np.cos(angles).T, np.sin(angles).T
    return np.stack(
        [
            np.stack([ca * cb, ca * sb * sc - sa * cc, ca * sb * cc + sa * sc], axis=-1),
            np.stack([sa * cb, sa * sb * sc + ca * cc, sa * sb * cc - ca * sc], axis=-1),
            np.stack([-sb, cb * sc, cb * cc], axis=-1),
        ],
        axis=-2,
    )


def _columns(first: float, second: np.ndarray) -> np.ndarray:
    return np.stack([np.full_like(second, first), second], axis=-1)[..., None]  # (n, 2, 1)


def _elbow_way(wrist: np.ndarray, out: int) -> np.ndarray:
    """Where elbows point: backward when the arm hangs, down and outward as it rises."""
    rise = (1 + wrist[:, 2:] / np.linalg.norm(wrist, axis=1, keepdims=True)) / 2
    return (1 - rise) * [-0.7, 0.3 * out, 0] + rise * [0.1, 0.6 * out, -1]


def _limb(
    root: np.ndarray, target: np.ndarray, upper: float, lower: float, way: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Middle joint and end of a two-bone limb that reaches for `target`, bending towards `way`.

    A target out of reach is approached: the last part of the reach is spread over all beyond.
    """
    along = target - root
    distance = np.linalg.norm(along, axis=1, keepdims=True)
    along /= distance
    reach, soft = 0.96 * (upper + lower), 0.038 * (upper + lower)
    distance = np.where(
        distance > reach, reach + soft * np.tanh((distance - reach) / soft), distance
    )
    distance = np.maximum(distance, 0.4 * (upper + lower))  # a limb does not fold flat
    way = way - np.sum(way * along, axis=1, keepdims=True) * along
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    foot = (distance**2 + upper**2 - lower**2) / (2 * distance)  # of the middle joint on `along`
    middle = root + foot * along + np.sqrt(upper**2 - foot**2) * way
    return middle, root + distance * along

"""A skeleton of constant bones that follows lifted poses, as BVH needs it.

Lifted bones change their length from frame to frame, those of BVH cannot. The rest pose has their
mean lengths: pelvis and chest in their mean shape, legs down, arms to the sides, facing +z, y up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htpbench.motion.skeleton import JOINTS, PARENTS, ROOT
from htpbench.poses.words import UP

ANKLE = 80.0  # mm above the floor, where the lower one stands most of the time
CHILDREN = [[j for j, parent in enumerate(PARENTS) if parent == joint] for joint in range(17)]
DOWN, ABOVE, LEFTWARD = (0.0, -1.0, 0.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0)
RIGHTWARD = (-1.0, 0.0, 0.0)
# Joint: where it lies from its parent at rest. The others belong to the pelvis and the chest.
LIMBS = {
    **dict.fromkeys(("RKnee", "RAnkle", "LKnee", "LAnkle"), DOWN),
    **dict.fromkeys(("Thorax", "Head"), ABOVE),
    **dict.fromkeys(("LElbow", "LWrist"), LEFTWARD),
    **dict.fromkeys(("RElbow", "RWrist"), RIGHTWARD),
}
# A part that three bones span: its joint; the ends of it to the right, to the left and upward.
PARTS = {
    "Hip": ("RHip", "LHip", "Spine"),
    "Thorax": ("RShoulder", "LShoulder", "Thorax"),
}
ROUNDS = 5  # of fitting a part to its mean shape; it settles after two or three
SHAPED = 2**12  # frames that a mean shape is taken of, at least: of very many some


@dataclass(frozen=True, eq=False)
class Rigid:
    """A constant skeleton and how it moves, y up and z towards the camera.

    `offsets` (17, 3) mm from the parents at rest; `turns` (N, 17, 3, 3) in the world; `height` of
    the root, mm.
    """

    offsets: np.ndarray
    turns: np.ndarray
    height: float

    @property
    def local(self) -> np.ndarray:
        """(N, 17, 3, 3): the turn of each joint from its parent."""
        parents = self.turns[:, list(PARENTS[1:])]
        own = np.swapaxes(parents, -1, -2) @ self.turns[:, 1:]
        return np.concatenate([self.turns[:, :1], own], axis=1)


def rigid(poses: np.ndarray) -> np.ndarray:
    """(N, 17, 3) mm, camera axes, relative to the root: the constant skeleton that BVH has."""
    body = fitted(poses)
    return placed(body.offsets, body.turns) * UP


def away(body: Rigid, poses: np.ndarray) -> float:
    """Mean mm between joints as they were lifted and those of the skeleton fitted to them."""
    rooted = poses - poses[:, ROOT, None]
    return float(np.linalg.norm(placed(body.offsets, body.turns) * UP - rooted, axis=-1).mean())


def fitted(poses: np.ndarray) -> Rigid:
    """The constant skeleton that follows poses (N, 17, 3) in camera axes."""
    upright = poses.astype(np.float64) * UP
    bones = upright - upright[:, list(PARENTS)]  # (N, 17, 3)
    bones[:, ROOT] = 0
    offsets = rest(bones)
    turns = np.empty((len(bones), 17, 3, 3))
    for joint, children in enumerate(CHILDREN):
        before = turns[:, PARENTS[joint]] if joint != ROOT else np.broadcast_to(np.eye(3), (3, 3))
        if len(children) > 1:
            turns[:, joint] = best(offsets[children], bones[:, children])
        elif children:
            carried = before @ offsets[children[0]]  # (N, 3)
            turns[:, joint] = shortest(carried, bones[:, children[0]]) @ before
        else:
            turns[:, joint] = before
    ankles = placed(offsets, turns)[:, [JOINTS.index("RAnkle"), JOINTS.index("LAnkle")], 1]
    return Rigid(offsets, turns, ANKLE - float(np.median(ankles.min(axis=1))))


def rest(bones: np.ndarray) -> np.ndarray:
    """(17, 3) the offsets of the rest pose of bones (N, 17, 3)."""
    lengths = np.linalg.norm(bones, axis=-1).mean(axis=0)  # (17,)
    offsets = np.zeros((17, 3))
    for name, direction in LIMBS.items():
        offsets[JOINTS.index(name)] = direction
    for name, ends in PARTS.items():
        right, left, up = (bones[:, JOINTS.index(end)] for end in ends)  # (N, 3) each
        children = CHILDREN[JOINTS.index(name)]
        offsets[children] = shape(bones[:, children], left - right, up)
    return unit(offsets) * lengths[:, None]


def shape(bones: np.ndarray, sideways: np.ndarray, upward: np.ndarray) -> np.ndarray:
    """(c, 3) the mean shape of c bones (N, c, 3) that turn together: x to the left, y up."""
    step = max(len(bones) // SHAPED, 1)
    bones = bones[::step]
    x = unit(sideways[::step])
    z = unit(np.cross(x, upward[::step]))
    frame = np.stack([x, np.cross(z, x), z], axis=-1)  # (N, 3, 3)
    mean = (bones @ frame).mean(axis=0)
    for _ in range(ROUNDS):
        mean = (bones @ best(mean, bones)).mean(axis=0)
    return mean


def best(shape: np.ndarray, bones: np.ndarray) -> np.ndarray:
    """(N, 3, 3) the turns that bring a shape (c, 3) nearest to bones (N, c, 3): Kabsch."""
    left, _, right = np.linalg.svd(np.swapaxes(bones, -1, -2) @ shape)  # of (N, 3, 3)
    left[..., -1] *= np.sign(np.linalg.det(left @ right))[:, None]  # a turn, no mirror
    return left @ right


def shortest(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(N, 3, 3) the shortest turns from directions (N, 3) to others; none where one is 0."""
    a, b = unit(start), unit(end)
    b = np.where(b.any(axis=-1, keepdims=True), b, a)
    wide = (a * b).sum(axis=-1, keepdims=True) < 0  # a half turn about the same axis goes first
    half = halved(a, b)  # (N, 3, 3)
    a = np.where(wide, -a, a)
    cross = np.cross(a, b)
    skew = np.zeros((len(a), 3, 3))
    for i, j, k in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        skew[:, j, i], skew[:, i, j] = cross[:, k], -cross[:, k]
    near = 1 + (a * b).sum(axis=-1)[:, None, None]  # 1 to 2: it divides without losing digits
    turn = np.eye(3) + skew + skew @ skew / near
    return np.where(wide[..., None], turn @ half, turn)


def halved(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, 3, 3) half turns about the axes that turn unit vectors (N, 3) into others."""
    cross = np.cross(a, b)
    least = np.eye(3)[np.abs(a).argmin(axis=-1)]  # where b is -a, any axis across a will do
    clear = np.linalg.norm(cross, axis=-1, keepdims=True) > 1e-6
    axis = unit(np.where(clear, cross, np.cross(a, least)))
    return 2 * axis[:, :, None] * axis[:, None, :] - np.eye(3)


def placed(offsets: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """(N, 17, 3) where the joints are, the root at 0."""
    found = np.zeros((len(turns), 17, 3))
    for joint, parent in enumerate(PARENTS[1:], 1):
        found[:, joint] = found[:, parent] + turns[:, parent] @ offsets[joint]
    return found


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1; those of none stay 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 1e-9)

"""What may be wrong with all shots of a take at once: which camera is which, which axis is up."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import numpy as np

from htpbench.checking.agreement import Pair, fitted, rays
from htpbench.checking.body import is_mirrored
from htpbench.checking.guesses import BETTER, SOUND
from htpbench.checking.look import Look, median
from htpbench.checking.verdict import Finding
from htpbench.motion.skeleton import MIRROR

AXES = "xyz"
Turn = tuple[tuple[int, ...], tuple[int, ...]]  # where new axes come from, and their signs
# All 48, those that change least first.
TURNS: list[Turn] = sorted(
    product(permutations(range(3)), product((1, -1), repeat=3)),
    key=lambda turn: (
        sum(a != b for a, b in zip(turn[0], range(3), strict=True))
        + sum(sign < 0 for sign in turn[1])
    ),
)
SOME = 12  # frames on which axes are tried
MOST_CAMERAS = 8  # whose orders are all tried: of more, pairs are
UPRIGHT = 0.8  # of the way from ankles to head that is along one axis
NEAR = 5.0  # px of a 1000 px wide image: no axes are wrong
DRAWN = 40.0  # px of a 1000 px wide image that a picture may be off, by its rough scale
ALONG = 0.5  # cosine of that way in 3D to the one in the image


def permuted(looks: Sequence[Look]) -> tuple[Finding, float] | None:
    """2D that belongs to other cameras of the take: the finding, and the px that remain at most."""
    if len(looks) < 2:
        return None
    pairs = [Pair.of(look) for look in looks]
    error = np.full((len(looks), len(looks)), np.inf)  # of 2D i as camera j's
    for j, pair in enumerate(pairs):
        for i, look in enumerate(looks):
            rows = np.flatnonzero(pair.frames < len(look.flat))
            if len(rows):
                seen = look.flat[pair.frames[rows]]
                error[i, j] = median(pair.away(seen, rows))
    order = assigned(error)
    moved = [i for i, j in enumerate(order) if i != j]
    if not moved or any(
        error[i, order[i]] > min(error[i, i] / BETTER, SOUND * looks[i].wide) for i in moved
    ):
        return None
    count = np.arange(len(looks))
    now, then = median(error[count, count]), median(error[count, order])
    first = min(moved, key=lambda i: error[i, order[i]] / error[i, i])
    finding = Finding(
        "cameras",
        f"the 2D of camera {looks[first].shot.lens} is {error[first, first]:.3g} px from its 3D "
        f"and {error[first, order[first]]:.2g} px from that of {looks[order[first]].shot.lens}; "
        f"of all cameras {now:.3g} and {then:.2g} px",
        looks[0].shot.take.name,
        "the cameras are in another order: the 2D is that of cameras "
        f"{', '.join(str(j) for j in order)}: put it in the order of the layout",
    )
    return finding, float(error[count, order].max())


def assigned(error: np.ndarray) -> list[int]:
    """Of all orders of few cameras the one that fits best; of many one camera each at its best."""
    size = len(error)
    if size > 4:
        from scipy.optimize import linear_sum_assignment

        return linear_sum_assignment(np.minimum(error, 1e9))[1].tolist()
    rows = np.arange(size)
    return list(min(permutations(range(size)), key=lambda order: error[rows, list(order)].sum()))


def turned(points: np.ndarray, turn: Turn) -> np.ndarray:
    """3D (..., 3) with its axes exchanged."""
    return points[..., list(turn[0])] * np.array(turn[1])


def spelt(turn: Turn) -> str:
    """Such as "(x, -z, y)"."""
    signed = (("-" if sign < 0 else "") + AXES[axis] for axis, sign in zip(*turn, strict=True))
    return f"({', '.join(signed)})"


def axes(looks: Sequence[Look]) -> tuple[Finding, float] | None:
    """3D whose axes are others, by the cameras: the finding, and the px that remain at most."""
    look = looks[0]
    if look.shot.camera is None and look.shot.image is None:
        upright = way(look) @ look.up > ALONG
        if upright and not is_mirrored(look.points):
            return None  # the 3D is as it should be: it is the 2D that was turned
    held = [held_against(one) for one in looks]

    def error(turn: Turn) -> float:
        return max(apart(pair, turned(points, turn), seen) for pair, points, seen in held)

    now = error(TURNS[0])
    if now < NEAR * look.wide:
        return None
    turn, then = TURNS[0], now
    for other in TURNS[1:]:
        if (one := error(other)) * 1.2 < then:
            turn, then = other, one
    if then * BETTER > now or then > (SOUND if look.shot.image is None else DRAWN) * look.wide:
        return None
    # a body has nearly the symmetry of its sides
    if max(apart(pair, points, seen[:, MIRROR]) for pair, points, seen in held) < then:
        return None
    finding = Finding(
        "axes",
        f"the 2D is {now:.3g} px from the 3D and {then:.2g} px once {spelt(turn)} of it are taken "
        f"for (x, y, z){standing(look)}",
        look.shot.take.name,
        f"the layout has {'z up' if look.shot.camera else 'y down, z forward'}: turn it so",
    )
    return finding, then


def held_against(look: Look) -> tuple[Pair, np.ndarray, np.ndarray]:
    """A few frames of a look, their 3D, and the 2D that it is held against."""
    pair = Pair.of(look, most=SOME)
    flat = pair.seen if look.shot.image is None or pair.exact is None else pair.exact
    return pair, look.points[pair.chosen], flat


def apart(pair: Pair, points: np.ndarray, seen: np.ndarray) -> float:
    """The median px between 2D and 3D (m, 17, k) of a pair's frames.

    Where truth is told in px, 3D is a picture of it, in mm by `scale`.
    """
    shot = pair.look.shot
    if shot.camera is not None:
        exact = shot.camera.project(shot.camera.view(points))
    elif shot.image is None:
        exact = fitted(rays(points), seen)
    else:
        scale = 1.0 if shot.scale is None else shot.scale[pair.frames][:, None, None]
        exact = fitted(points[..., :2] / scale, seen)
    return median(np.linalg.norm(seen - exact, axis=-1))


def way(look: Look) -> np.ndarray:
    """(3,) the median direction from the middle of the ankles to the head."""
    up = look.points[:, 10] - look.points[:, [3, 6]].mean(axis=1)
    return np.median(up / np.maximum(np.linalg.norm(up, axis=1, keepdims=True), 1e-9), axis=0)


def upward(direction: np.ndarray) -> str:
    """The axis along which a direction goes most."""
    axis = int(np.abs(direction).argmax())
    return f"{'-' if direction[axis] < 0 else ''}{AXES[axis]}"


def standing(look: Look) -> str:
    """What the body's stance adds to that, where another axis is up."""
    direction = way(look)
    if direction @ look.up == np.abs(direction).max():
        return ""
    share = np.abs(direction).max()
    return f"; from ankles to head it is {share:.2f} of the way along {upward(direction)}"


def stance(look: Look) -> Finding | None:
    """People stand along another axis; where the image shows how they stand, it is asked."""
    direction = way(look)
    if look.shot.camera is None:
        head, ankles = 10, [3, 6]
        flat = look.seen[:, head] - look.seen[:, ankles].mean(axis=1)  # (n, 2)
        solid = (look.points[:, head] - look.points[:, ankles].mean(axis=1))[:, :2]
        size = np.linalg.norm(flat, axis=1) * np.linalg.norm(solid, axis=1)
        along = float(np.median((flat * solid).sum(axis=1) / np.maximum(size, 1e-9)))
        if along >= ALONG or direction @ look.up > UPRIGHT:
            return None
    elif np.abs(direction).max() < UPRIGHT or direction @ look.up >= np.abs(direction).max():
        return None
    expected = upward(look.up)
    return Finding(
        "axes",
        f"from ankles to head it is {np.abs(direction).max():.2f} of the way along "
        f"{upward(direction)}",
        look.shot.take.name,
        f"expected {expected}: the layout has {expected.removeprefix('-')} "
        f"{'down' if expected[0] == '-' else 'up'}: turn the 3D",
    )

"""What may be wrong with the 2D of one shot: each guess is tried against the 3D."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from htpbench.checking.agreement import Pair
from htpbench.checking.look import median
from htpbench.checking.orders import BODY, ORDERS
from htpbench.motion.skeleton import JOINTS, MIRROR

BETTER = 3.0  # times nearer to the 3D must 2D be, once it is put right
AGREED = 1.5  # times, where the lengths, or all cameras, say the same
SOUND = 15.0  # px of a 1000 px wide image: detectors are nearer
FAR = 1e9  # px: instead of what is no number
CLEARLY = 1.2  # times nearer than an earlier guess must a later one be
LIMBS = list(BODY)


@dataclass(frozen=True)
class Guess:
    """A fault by its verdict's name: 2D is `error` px from the 3D if it is so, else `plain`.

    likely: False for one that is believed only where nothing else explains it. needs: how many
    times nearer the 2D must be.
    """

    name: str
    plain: float
    error: float
    how: str
    meaning: str
    lag: int = 0
    likely: bool = True
    needs: float = BETTER

    @property
    def gain(self) -> float:
        """By how many times the 2D is nearer."""
        return self.plain / max(self.error, 1e-6)


def best(guesses: Iterable[Guess], wide: float = 1.0) -> Guess | None:
    """The one that brings 2D nearest to the 3D; a later one must do so clearly.

    wide: of the images, over 1000 px.
    """
    found = None
    for guess in guesses:
        if fits(guess, wide) and (found is None or guess.error * CLEARLY < found.error):
            found = guess
    return found


def fits(guess: Guess, wide: float) -> bool:
    """Whether it brings 2D three times nearer, and as near as detectors are."""
    return guess.gain > guess.needs and guess.error < SOUND * wide


def swapped(pair: Pair) -> Iterator[Guess]:
    """Left taken for right."""
    yield Guess(
        "sides of 2D",
        median(pair.away(pair.seen, joints=LIMBS)),
        median(pair.away(pair.seen[:, MIRROR], joints=LIMBS)),
        "with left and right exchanged",
        "left and right of the 2D are swapped: exchange the joints of the two sides",
    )


def ordered(pair: Pair) -> Iterator[Guess]:
    """2D in another known order of joints; else in whichever fits."""
    before = median(pair.away(pair.seen, joints=LIMBS))
    found = []
    for order in ORDERS:
        after = median(pair.away(order.of(pair.seen), joints=LIMBS))
        found.append(
            Guess(
                "order of 2D",
                before,
                after,
                f"in {order.name}'s order, by the limbs",
                f"the joints are in the order of {order.name}: bring them to Human3.6M's by a map",
            )
        )
    yield from found
    if pair.exact is None or best(found):
        return
    from scipy.optimize import linear_sum_assignment

    cost = np.linalg.norm(pair.seen[:, :, None] - pair.exact[:, None], axis=-1)  # (m, 17, 17)
    rows, joints = linear_sum_assignment(
        np.nan_to_num(np.median(cost, axis=0), nan=FAR, posinf=FAR)
    )
    order = rows[np.argsort(joints)]  # the row of each joint
    moved = [int(joint) for joint in np.flatnonzero(order != np.arange(len(order)))]
    if not moved:
        return
    spelt = ", ".join(f"{JOINTS[joint]} is row {order[joint]}" for joint in moved[:4])
    yield Guess(
        "order of 2D",
        median(pair.away(pair.seen, joints=moved)),
        median(pair.away(pair.seen[:, order], joints=moved)),
        f"with {len(moved)} joints in another order",
        f"joints are not in Human3.6M's order ({spelt}{', ...' if len(moved) > 4 else ''}): "
        "reorder them",
    )


def placed(pair: Pair) -> Iterator[Guess]:
    """Images that were turned, mirrored, scaled or cropped after or before the 2D was made."""
    seen, (width, height) = pair.seen, pair.look.shot.size
    before = median(pair.away(seen))
    upright = np.stack([seen[..., 0], height - seen[..., 1]], axis=-1)
    mirrored = np.stack([width - seen[..., 0], seen[..., 1]], axis=-1)
    for other, how, meaning in (
        (upright, "turned over", "y of the 2D grows upward: take the height minus y"),
        (seen[..., ::-1], "with x and y exchanged", "x and y of the 2D are exchanged"),
        (mirrored, "mirrored", "the images were mirrored, the 2D's sides were not: width minus x"),
        (
            mirrored[:, MIRROR],
            "mirrored, with left and right exchanged",
            "the images were mirrored: take the width minus x, and exchange left and right",
        ),
    ):
        yield Guess("axes of 2D", before, median(pair.away(other)), how, meaning)
    if pair.exact is None:
        return
    exact = pair.exact
    scale = float(np.median((seen * exact).sum(-1)) / max(np.median((exact**2).sum(-1)), 1e-9))
    if scale > 0 and abs(scale - 1) > 0.02:
        after = median(np.linalg.norm(seen / scale - exact, axis=-1))
        yield Guess(
            "size of 2D",
            before,
            after,
            f"divided by {scale:.3g}",
            f"the 2D is of images {scale:.3g} times as large as {width}x{height}: divide it",
        )
    shift = np.median(seen - exact, axis=(0, 1))  # (2,)
    after = median(np.linalg.norm(seen - shift - exact, axis=-1))
    yield Guess(
        "place of 2D",
        before,
        after,
        f"moved by {-shift[0]:+.0f}, {-shift[1]:+.0f} px",
        "the 2D is of a crop, or from another origin: move it back",
    )

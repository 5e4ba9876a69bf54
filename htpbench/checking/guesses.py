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
CLEARLY = 1.2  # times nearer than an earlier guess must a later one be
LAGS = sorted(range(-25, 26), key=abs)[1:]  # frames
STEPS = (2, 3, 4, 5)
LIKE = 0.25  # of the ratio of lengths to a step
FEWEST = 5  # frames on which a guess is judged
LIMBS = list(BODY)
QUICK = 4  # joints, by which times are compared: those that move most


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


def lags(pair: Pair) -> Iterator[Guess]:
    """2D that runs some frames behind the 3D, or ahead of it; the nearest one."""
    joints = quick(pair)
    before = np.median(pair.away(pair.seen, joints=joints), axis=1)  # (m,)
    after = delayed(pair, joints)  # (m, lags)
    counts = np.isfinite(after).sum(axis=0)
    errors = [median(after[:, i]) if count >= FEWEST else np.inf for i, count in enumerate(counts)]
    at = int(np.argmin(errors))
    nearest, lag = errors[at], LAGS[at]
    if not np.isfinite(nearest):
        return
    as_it_is = median(before[np.isfinite(after[:, at])])
    many = f"{abs(lag)} frame{'s' if abs(lag) > 1 else ''}"
    behind = f"the 2D runs {many} behind the 3D: leave out its first {abs(lag)}"
    ahead = f"the 2D runs {many} ahead of the 3D: leave out the 3D's first {abs(lag)}"
    yield Guess(
        "lag",
        as_it_is,
        nearest,
        f"{many} {'later' if lag > 0 else 'earlier'}",
        behind if lag > 0 else ahead,
        lag,
    )


def quick(pair: Pair) -> list[int]:
    """The joints that move most: of people who stand and wave, the wrists tell times apart."""
    places = pair.seen if pair.exact is None else pair.exact
    return np.argsort(places.std(axis=0).sum(axis=-1))[-QUICK:].tolist()


def delayed(pair: Pair, joints: list[int]) -> np.ndarray:
    """(m, lags) px: how far 2D of other frames is from the 3D, a median of some joints."""
    frames = pair.frames[:, None] + np.array(LAGS)  # (m, lags)
    there = (frames >= 0) & (frames < len(pair.look.flat))
    if pair.exact is None:
        found = np.full(frames.shape, np.inf)
        for i, inside in enumerate(there.T):
            if rows := [*np.flatnonzero(inside)]:
                away = pair.away(pair.look.flat[frames[rows, i]], np.array(rows), joints)
                found[rows, i] = np.median(away, axis=1)
        return found
    seen = pair.look.flat[np.where(there, frames, 0)][:, :, joints]  # (m, lags, QUICK, 2)
    x, y = np.moveaxis(seen - pair.exact[:, None, joints], -1, 0)
    return np.where(there, np.sqrt(np.median(x * x + y * y, axis=-1)), np.inf)


def steps(pair: Pair) -> Iterator[Guess]:
    """3D that has every second, third ... frame of the 2D, or the other way round."""
    look, (frames, total) = pair.look, (len(pair.look.shot.poses3d), len(pair.look.flat))
    joints = quick(pair)
    for step in STEPS:
        ordinal = {2: "2nd", 3: "3rd"}.get(step, f"{step}th")
        whole = Pair.of(look, np.flatnonzero(look.frames % step == 0))
        for one, at, (few, many), ratio in (
            (pair, pair.frames * step, ("3D", "2D"), total / frames),
            (whole, whole.frames // step, ("2D", "3D"), frames / total),
        ):
            rows = np.flatnonzero(at < total)
            if len(rows) >= FEWEST:
                yield Guess(
                    "rate",
                    median(one.away(one.seen[rows], rows, joints)),
                    median(one.away(look.flat[at[rows]], rows, joints)),
                    f"against every {ordinal} frame of the {many}",
                    f"the {few} has every {ordinal} frame of the {many}: bring both to one rate",
                    likely=abs(ratio / step - 1) < LIKE,
                    needs=AGREED if abs(ratio / step - 1) < LIKE else BETTER,
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
    rows, joints = linear_sum_assignment(np.median(cost, axis=0))
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

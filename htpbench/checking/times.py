"""What may be wrong with the time of one shot: 2D that lags, 2D and 3D of unlike rates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from htpbench.checking.agreement import TRIED, Pair
from htpbench.checking.guesses import AGREED, BETTER, Guess
from htpbench.checking.look import Look, median, placed

LAGS = sorted(range(-25, 26), key=abs)[1:]  # frames
STEPS = (2, 3, 4, 5)
LIKE = 0.25  # of the ratio of lengths to a step
FEWEST = 5  # frames on which a guess is judged
QUICK = 4  # joints, by which times are compared: those that move most


def lags(look: Look) -> Iterator[Guess]:
    """2D that runs some frames behind the 3D, or ahead of it; the nearest one."""
    pair = Pair.of(look, fastest(look))
    joints = quick(pair)
    before = np.median(pair.away(pair.seen, joints=joints), axis=1)  # (m,)
    after = delayed(pair, joints)  # (m, lags)
    counts = np.isfinite(after).sum(axis=0)  # (lags,) of numbers, which stand first once sorted
    middle = np.sort(after, axis=0)[np.maximum(counts - 1, 0) // 2, np.arange(len(LAGS))]
    errors = np.where(counts >= FEWEST, middle, np.inf)
    at = int(np.argmin(errors))
    nearest, lag = float(errors[at]), LAGS[at]
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


def fastest(look: Look) -> np.ndarray:
    """The numbers (m,), ascending, of the frames of a look in which joints move most.

    People stand still for most of some takes, and then all times are alike.
    """
    poses, last = look.shot.poses3d, len(look.shot.poses3d) - 1
    after, before = (np.clip(look.frames + step, 0, last) for step in (1, -1))
    moved = np.linalg.norm(poses[after].astype(np.float64) - poses[before], axis=-1)  # (n, 17)
    moved = np.nan_to_num(moved, nan=0.0, posinf=0.0)
    speed = np.sort(moved, axis=1)[:, -QUICK:].sum(axis=1)
    return np.sort(np.argsort(-speed, kind="stable")[:TRIED])


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
        whole = multiples(look, step)
        for one, at, (few, many), ratio in (
            (pair, pair.frames * step, ("3D", "2D"), total / frames),
            (whole, whole.frames // step, ("2D", "3D"), frames / total),
        ):
            rows = np.flatnonzero(at < total)
            if len(rows) >= FEWEST:
                yield Guess(
                    "rate",
                    as_is(one, rows, joints),
                    median(one.away(look.flat[at[rows]], rows, joints)),
                    f"against every {ordinal} frame of the {many}",
                    f"the {few} has every {ordinal} frame of the {many}: bring both to one rate",
                    likely=abs(ratio / step - 1) < LIKE,
                    needs=AGREED if abs(ratio / step - 1) < LIKE else BETTER,
                )


def as_is(pair: Pair, rows: np.ndarray, joints: list[int]) -> float:
    """The median px of the frames in some rows, of those that have 2D."""
    rows = rows[pair.frames[rows] < len(pair.look.flat)]
    return median(pair.away(pair.look.flat[pair.frames[rows]], rows, joints))


def multiples(look: Look, step: int) -> Pair:
    """3D of every step-th frame of a look; where its 2D is shorter, of those beyond its end too."""
    if len(look.flat) < len(look.shot.poses3d):
        frames = np.arange(0, len(look.shot.poses3d), step)
        frames = frames[np.isfinite(look.shot.poses3d[frames]).all(axis=(1, 2))]
        if np.array_equal(placed(look.shot, look.frames), look.points):  # nothing was put right
            return Pair.of(replace(look, frames=frames, points=placed(look.shot, frames)))
    return Pair.of(look, np.flatnonzero(look.frames % step == 0))

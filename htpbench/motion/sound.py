"""Whether motion can be a person's: unit, bones, which axis is up, sides, the floor, jumps.

Judged by medians over a file, so that people may lie, climb or turn cartwheels for a while. What a
file means for certain is put right and told; else it is refused with what was seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.motion.clip import FARTHEST, FRAME_RATE
from htpbench.motion.skeleton import JOINTS, LEFT, MIRROR, PARENTS, ROOT

LEG = (500, 1200)  # mm from hip to ankle; outside, the unit is another
UNITS = {"metres": 1000.0, "inches": 25.4, "centimetres": 10.0, "millimetres": 1.0}  # mm
UPRIGHT = 0.3  # of the way from ankles to head that is upward, at least; crawling has 0.5
CERTAIN = 0.9  # of it that is along another axis, where that is up unless people lie
FLAT = 700.0  # mm: how high people are at most who lie, most of the time
FLOOR = (-150.0, 350.0)  # mm: where the lowest joint of a person is, 5 % of the time at most lower
ANKLE = 80.0  # mm: where it is put when the floor is found
BENT = np.sin(np.radians(20))  # what a knee may seem to bend backward: hips and knees twist
MIRRORED = 0.02  # of legs bent backward, and more than forward
UNEVEN = 0.2  # standard deviation of a bone over its mean; triangulated detections have 0.08
UNLIKE = 0.3  # of one side's bones to the other's
FASTEST = 20.0  # m/s
HARDEST = 500.0  # m/s2
MOST_BAD = 0.05  # of the frames
JUDGED = 2**17  # frames, 44 minutes: of many more, medians are taken over some
TURNS = {  # axis that is up, its sign: where the new x, y, z come from and their signs
    (0, 1): ((1, 2, 0), (1, 1, 1)),
    (0, -1): ((1, 2, 0), (-1, 1, -1)),
    (1, 1): ((0, 2, 1), (1, -1, 1)),
    (1, -1): ((0, 2, 1), (1, 1, -1)),
    (2, -1): ((0, 1, 2), (1, -1, -1)),
}


@dataclass(frozen=True, eq=False)
class Sound:
    """Clips (N, 17, 3) that passed, and what was done to them, as cards tell it.

    bad: of each clip, which of its frames (N,) are glitches; they are few.
    """

    clips: list[np.ndarray]
    told: dict[str, str]
    bad: list[np.ndarray]


def judged(
    clips: Sequence[np.ndarray],
    floor: str = "checked",
    axes: tuple[str, str, str] = ("x", "y", "z"),
) -> Sound:
    """Motion of one file, (N, 17, 3) mm at 50 Hz each, z up; BenchError names the fault.

    floor: "checked", or "auto": wherever it is, the lowest joint is put above it. axes: what the
    file calls x, y and z.
    """
    if floor not in ("checked", "auto"):
        raise unknown("floor", floor, ("checked", "auto"))
    told = {}
    check_numbers(clips)
    joints = some(clips)
    check_root(joints)
    check_bones(clips)
    check_leg(joints)
    if turn := upward(joints, floor, axes):
        clips, joints = [turned(clip, turn) for clip in clips], turned(joints, turn)
        told["up"] = along(axes, *turn)
    check_sides(joints)
    lowest = low(joints)
    if floor == "auto":
        clips = [clip + np.array([0, 0, ANKLE - lowest], clip.dtype) for clip in clips]
        told["floor"] = f"put {ANKLE:.0f} mm below the lowest joint"
    elif not FLOOR[0] <= lowest <= FLOOR[1]:
        raise BenchError(
            f"the floor is not at 0: the lowest joint is {lowest:.0f} mm high; expected about "
            f"{ANKLE:.0f}: move all of it by {ANKLE - lowest:.0f} mm upward, or let that be done: "
            ",floor=auto behind the name of the data"
        )
    return Sound(list(clips), told, check_jumps(clips))


def some(clips: Sequence[np.ndarray]) -> np.ndarray:
    """Frames of all clips, (n, 17, 3) float64: each of them, or of very many some."""
    step = max(sum(map(len, clips)) // JUDGED, 1)
    return np.concatenate([clip[::step] for clip in clips]).astype(np.float64)


def check_numbers(clips: Sequence[np.ndarray]) -> None:
    """Finite, and near enough for float32."""
    far = np.max([np.abs(clip).max() for clip in clips])  # NaN where there is one
    if not np.isfinite(far):
        raise BenchError("positions hold NaN or infinity; expected numbers: fill or cut the gaps")
    if far >= FARTHEST:
        raise BenchError(
            f"a joint is {far / 1e6:.0f} km away; expected less than 1; move it to the origin"
        )


def check_root(joints: np.ndarray) -> None:
    """A root that stays at the origin while limbs move was subtracted."""
    if np.abs(joints[:, ROOT]).max() < 1e-3 * np.ptp(joints, axis=0).max():
        raise BenchError(
            f"root-relative: joint 0 ({JOINTS[ROOT]}) stays at the origin while the others move; "
            "expected positions in the world: export them with the path of the root"
        )


def leg(joints: np.ndarray) -> float:
    """The median length from hip to ankle."""
    limb = np.diff(joints[:, 1:4], axis=1)  # (N, 2, 3)
    return float(np.median(np.linalg.norm(limb, axis=2).sum(axis=1)))


def unit(length: float) -> str | None:
    """The unit in which a leg of such a length is a person's; None: there is none."""
    return next((name for name, mm in UNITS.items() if LEG[0] < length * mm < LEG[1]), None)


def check_leg(joints: np.ndarray) -> None:
    """Millimetres."""
    length = leg(joints)
    if not LEG[0] < length < LEG[1]:
        name = unit(length)
        looks = f"they look like {name}: multiply by {UNITS[name]:g}" if name else "scale them"
        raise BenchError(
            f"a leg of {length:.3g} mm; expected {LEG[0]} to {LEG[1]}: positions are in another "
            f"unit than millimetres; {looks}"
        )


def bones(joints: np.ndarray) -> np.ndarray:
    """(N, 17, 3) -> (N, 16) lengths, joint 1 to its parent first."""
    return np.linalg.norm(joints[:, 1:] - joints[:, list(PARENTS[1:])], axis=2)


def check_bones(clips: Sequence[np.ndarray]) -> None:
    """Bones have a length that stays, and sides are alike: else joints are in another order."""
    lengths = [bones(clip) for clip in clips]
    mean = np.median([each.mean(axis=0) for each in lengths], axis=0)  # (16,) of the median clip
    if mean.min() <= 0.005 * mean.max():
        raise BenchError(f"the bone to {JOINTS[1 + mean.argmin()]} has no length; expected a body")
    spread = np.median([each.std(axis=0) / each.mean(axis=0) for each in lengths], axis=0)
    if spread.max() > UNEVEN:
        raise BenchError(
            f"the bone to {JOINTS[1 + spread.argmax()]} changes its length by "
            f"{spread.max():.0%}; expected bones that stay as they are: are the joints in the "
            f"order {', '.join(JOINTS)}?"
        )
    left = np.array(LEFT) - 1
    ratio = np.abs(mean[left] / mean[MIRROR[list(LEFT)] - 1] - 1)
    if ratio.max() > UNLIKE:
        name = JOINTS[LEFT[ratio.argmax()]]
        raise BenchError(
            f"the bone to {name} and the one of the right side differ by {ratio.max():.0%}; "
            "expected sides alike: is each joint where it belongs?"
        )


def stance(joints: np.ndarray) -> np.ndarray:
    """(3,) the median way from ankles to head, which has length 1 where nobody ever bends."""
    way = joints[:, JOINTS.index("Head")] - joints[:, [3, 6]].mean(axis=1)
    return np.median(way / np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-9), axis=0)


def low(joints: np.ndarray, percent: float = 5) -> float:
    """How high (mm) the lowest joint is, lower in 5 % of the frames."""
    return float(np.percentile(joints[..., 2].min(axis=1), percent))


def lie(joints: np.ndarray) -> bool:
    """Whether people can be lying on the floor: flat, and all the time as high above it."""
    height = np.median(np.ptp(joints[..., 2], axis=1))
    return bool(height < FLAT and FLOOR[0] <= low(joints) and low(joints, 95) <= FLOOR[1])


def upward(joints: np.ndarray, floor: str, axes: tuple[str, str, str]) -> tuple[int, int] | None:
    """Another axis than z that is up for certain, and its sign; None: z. BenchError in doubt."""
    way = stance(joints)
    if way[2] > UPRIGHT:
        return None
    axis = int(np.abs(way).argmax())
    turn = axis, 1 if way[axis] > 0 else -1
    if abs(way[axis]) <= CERTAIN:  # people crawl, bend or stand on their hands
        if FLOOR[0] <= low(joints) <= FLOOR[1]:
            return None
    else:
        lowest = low(turned(joints, turn))
        stands = floor == "auto" or FLOOR[0] <= lowest <= FLOOR[1]
        if stands != lie(joints):
            return turn if stands else None
    raise BenchError(
        f"{axes[2]} is not up: from ankles to heads it is {abs(way[axis]):.2f} of the way along "
        f"{along(axes, *turn)} and {way[2]:.2f} along {axes[2]}; expected {axes[2]} up and the "
        "floor at 0: turn it"
    )


def along(axes: tuple[str, str, str], axis: int, sign: int) -> str:
    """The name of a direction: "-z" against z, "z" against "-z"."""
    return axes[axis] if sign > 0 else f"-{axes[axis]}".replace("--", "")


def turned(clip: np.ndarray, turn: tuple[int, int]) -> np.ndarray:
    """(N, 17, 3) with an axis turned to z; left stays left."""
    order, signs = TURNS[turn]
    return clip[..., list(order)] * np.array(signs, clip.dtype)


def knees(joints: np.ndarray) -> np.ndarray:
    """(N, 2) sines of how far the right and the left knee are bent forward."""
    across = _unit(joints[:, 4] - joints[:, 1])  # (N, 3), to the left; a bent knee turns about it
    bent = []
    for hip, knee, ankle in ((1, 2, 3), (4, 5, 6)):
        thigh, shank = joints[:, knee] - joints[:, hip], joints[:, ankle] - joints[:, knee]
        bent.append(np.sum(np.cross(_unit(thigh), _unit(shank)) * across, axis=1))
    return np.stack(bent, axis=1)


def check_sides(joints: np.ndarray) -> None:
    """Knees bend forward, and shoulders are above their own hips."""
    bent = knees(joints)
    backward, forward = (bent < -BENT).mean(), (bent > BENT).mean()
    if backward > max(MIRRORED, forward):
        raise BenchError(
            f"left and right are exchanged: knees are bent backward in {backward:.0%} of the "
            f"frames and forward in {forward:.0%}; swap the joints of the two sides, or the sign "
            "of one axis"
        )
    hips, shoulders = joints[:, 4] - joints[:, 1], joints[:, 11] - joints[:, 14]
    crossed = (np.sum(hips * shoulders, axis=1) < 0).mean()
    if crossed > 0.5:
        raise BenchError(
            f"the arms' left and right are exchanged: shoulders lie across the hips in "
            f"{crossed:.0%} of the frames; swap the arms' or the legs' joints"
        )


def speeds(joints: np.ndarray) -> np.ndarray:
    """(N, 17, 3) -> (N - 1, 17) m/s."""
    return np.linalg.norm(np.diff(joints, axis=0), axis=2) * FRAME_RATE / 1000


def glitches(joints: np.ndarray) -> np.ndarray:
    """Which of N frames (N, 17, 3) no person moves like: too fast, too hard, knees backward."""
    bad = np.zeros(len(joints), dtype=bool)
    velocity = np.diff(joints, axis=0) * FRAME_RATE / 1000  # (N - 1, 17, 3) m/s
    push = np.diff(velocity, axis=0) * FRAME_RATE  # (N - 2, 17, 3) m/s2
    bad[1:] |= (speeds(joints) > FASTEST).any(axis=1)
    bad[1:-1] |= (np.linalg.norm(push, axis=2) > HARDEST).any(axis=1)
    return bad | (knees(joints) < -BENT).any(axis=1)


def check_jumps(clips: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Which frames of each clip are glitches, if they are few."""
    found = [glitches(clip) for clip in clips]
    bad = np.concatenate(found)
    if bad.mean() > MOST_BAD:
        raise BenchError(
            f"{bad.sum()} of {len(bad)} frames at 50 Hz have a joint above {FASTEST:g} m/s or "
            f"{HARDEST:g} m/s2 or a knee bent backward; expected at most {MOST_BAD:.0%}; check the "
            "rate (Frame Time), cut the file or move it elsewhere"
        )
    return found


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

"""The body in 3D: unit, root, order of the joints, how even bones are, which way knees bend.

Each check gives a finding and what mends it, so that the others see a body that is put right: one
fault is one line.
"""

from __future__ import annotations

import numpy as np

from htpbench.checking.look import Look
from htpbench.checking.orders import LIMBS, ORDERS, Order
from htpbench.checking.verdict import Finding
from htpbench.motion.skeleton import ROOT
from htpbench.motion.sound import BENT, MIRRORED, bones, knees

Points = np.ndarray
Checked = tuple[Finding | None, Points]  # what was found, and the 3D with it put right

THIGH = (250.0, 650.0)  # mm
USUAL = 430.0  # mm
FACTORS = {  # how many times too long a thigh is: what the file has, and what its layout has
    1000.0: ("in millimetres", "metres", "divide by 1000"),
    100.0: ("in centimetres", "metres", "divide by 100"),
    39.37: ("in inches", "metres", "divide by 39.37"),
    0.1: ("in centimetres", "millimetres", "multiply by 10"),
    0.03937: ("in inches", "millimetres", "multiply by 25.4"),
    0.001: ("in metres", "millimetres", "multiply by 1000"),
}
UNKNOWN = "no usual unit explains it"
STAYS = 1e-3  # of the way that joints go: a root that moves less was subtracted
MIDDLE = 20.0  # mm that joint 0 may be from the middle of the hips, on a thigh of 430 mm
EVEN, ROUGH = 0.03, 0.1  # std/mean of limbs on the right tree; more than the second is a doubt
ALIKE = 0.1  # of a bone to the one of the other side
DRAWN = 0.3  # the same of a perspective image, whose bones are not those of a body


def thigh(points: Points) -> float:
    """The median length of the thighs, mm."""
    return float(np.median(np.linalg.norm(points[:, [2, 5]] - points[:, [1, 4]], axis=2)))


def unit(look: Look) -> Checked:
    """A thigh has 250 to 650 mm."""
    length = thigh(look.points)
    if THIGH[0] <= length <= THIGH[1] or not length:
        return None, look.points
    seen = (
        f"the median thigh is {length:,.3g} mm"
        if length < 1000
        else (f"the median thigh is {length:,.0f} mm")
    )
    for factor, (is_in, expected, mend) in FACTORS.items():
        if THIGH[0] <= length / factor <= THIGH[1]:
            meaning = f"the file is {is_in}; the layout has {expected}: {mend}"
            return Finding("unit", seen, look.shot.take.name, meaning), look.points / factor
    meaning = f"expected {THIGH[0]:.0f} to {THIGH[1]:.0f}; {UNKNOWN}: scale the 3D"
    found = Finding("unit", seen, look.shot.take.name, meaning)
    return found, look.points * (USUAL / length)


def relative(look: Look) -> Finding | None:
    """A root that never leaves the origin was subtracted."""
    far, way = np.abs(look.points[:, ROOT]).max(), np.ptp(look.points, axis=0).max()
    size = np.abs(look.points - look.points[:, :1]).max()
    if far > max(STAYS * min(way, size), 2e-6 * size):
        return None
    return Finding(
        "root",
        f"joint 0 is never more than {far:.3f} mm from the origin",
        look.shot.take.name,
        "the 3D is relative to the pelvis: where the person stands is lost, and no camera shows "
        "it: take 3D with the path of the root",
    )


def middle(points: Points) -> float:
    """How far joint 0 is from the middle of the hips, mm on a thigh of 430 mm: a median."""
    away = np.linalg.norm(points[:, ROOT] - points[:, [1, 4]].mean(axis=1), axis=1)
    return float(np.median(away)) * USUAL / (thigh(points) or 1)


def uneven(points: Points) -> float:
    """By how much the limbs change their lengths, std/mean: the one that does so most."""
    lengths = np.linalg.norm(points[:, LIMBS[1]] - points[:, LIMBS[0]], axis=2)  # (n, 8)
    return float((lengths.std(axis=0) / np.maximum(lengths.mean(axis=0), 1e-9)).max())


def unlike(points: Points) -> float:
    """By how much the legs, or the arms, differ in length between the two sides, at most."""
    length = np.median(bones(points), axis=0)  # (16,)
    legs = length[[3, 4, 5]].sum() / max(length[[0, 1, 2]].sum(), 1e-9)
    arms = length[[10, 11, 12]].sum() / max(length[[13, 14, 15]].sum(), 1e-9)
    return float(max(abs(legs - 1), abs(arms - 1)))


def order(look: Look) -> Checked:
    """The joints are where the tree of Human3.6M has them; else another known order fits."""
    drawn = look.shot.camera is None and look.shot.image is not None
    rough, alike = (1.0, DRAWN) if drawn else (ROUGH, ALIKE)
    where = look.shot.take.name

    def fits(points: Points, even: float) -> bool:
        whole = min(thigh(points), float(np.median(bones(points)[:, 0]))) > 0
        return whole and middle(points) < (3 if drawn else 1) * MIDDLE and uneven(points) < even

    if fits(look.points, rough) and unlike(look.points) < alike:
        return None, look.points
    for other in ORDERS:
        points = other.of(look.points)
        if fits(points, rough if drawn else EVEN) and unlike(points) < alike:
            return Finding("order of 3D", *told(look, other, points)), points
    if uneven(look.points) >= rough:
        return Finding(
            "order of 3D",
            f"a limb changes its length by {uneven(look.points):.0%} (standard deviation)",
            where,
            "expected below 3 %, and no known order of joints has it: are they Human3.6M's 17?",
        ), look.points
    if unlike(look.points) >= alike:
        return Finding(
            "bones" if unlike(look.points) < DRAWN else "order of 3D",
            f"legs or arms of the two sides differ by {unlike(look.points):.0%}",
            where,
            "expected sides alike within 10 %: is each joint where it belongs?",
        ), look.points
    return Finding(
        "pelvis",
        f"joint 0 is {middle(look.points):.0f} mm from the middle of the hips",
        where,
        "expected within 20 mm: errors relative to it are not those of Human3.6M; put it there",
    ), look.points


def told(look: Look, other: Order, points: Points) -> tuple[str, str, str]:
    """What shows that the 3D has another order."""
    return (
        f"joint 0 is {middle(look.points):.0f} mm from the middle of joints 1 and 4, limbs change "
        f"by {uneven(look.points):.0%}; in {other.name}'s order {middle(points):.0f} mm and "
        f"{uneven(points):.1%}",
        look.shot.take.name,
        f"the joints are in the order of {other.name}: reorder them to Human3.6M's",
    )


def backward(points: Points) -> tuple[float, float]:
    """The shares of frames in which a knee is bent backward, and forward."""
    bent = knees(points)
    return float((bent < -BENT).mean()), float((bent > BENT).mean())


def is_mirrored(points: Points) -> bool:
    """Whether knees bend backward."""
    back, forth = backward(points)
    return back > max(MIRRORED, forth)


def sides(look: Look, more: str = "") -> Finding:
    """What is said of a body whose knees bend backward."""
    back, forth = backward(look.points)
    return Finding(
        "sides of 3D",
        f"knees bend backward in {back:.0%} of the frames and forward in {forth:.0%}{more}",
        look.shot.take.name,
        "left and right of the 3D are swapped: exchange the joints of the two sides",
    )

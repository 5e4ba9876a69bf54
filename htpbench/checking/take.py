"""One take: every check in the order in which one fault explains the next."""

from __future__ import annotations

import math
from collections.abc import Sequence

from htpbench.checking import body, flat, person, together
from htpbench.checking.compared import compare
from htpbench.checking.hints import rate
from htpbench.checking.holes import holes
from htpbench.checking.lengths import lengths
from htpbench.checking.look import MOST, Look, looked, usable
from htpbench.checking.verdict import Finding, Judged
from htpbench.motion.filmed import Shot


def judge(shots: Sequence[Shot], source: str, most: int = MOST, measured: bool = True) -> Judged:
    """A take by its shots, whose 2D is of a source; numbers are of up to `most` frames a shot.

    measured: whether the 3D is in mm; where its place in px is not told either, holes and knees
    are looked at alone.
    """
    judged = Judged()
    judged.findings += [one for shot in shots for one in holes(shot)]
    judged.findings += lengths(shots)
    if not all(map(usable, shots)):
        shot = next(shot for shot in shots if not usable(shot))
        judged.findings.append(
            Finding(
                "order of 2D",
                f"the 2D is of shape {shot.poses2d.shape}",
                str(shot),
                "expected (frames, 17, 2 or 3), in Human3.6M's order",
            )
        )
        return judged
    looks = [one for shot in shots if (one := looked(shot, most)) is not None]
    if not looks:
        return judged
    if not measured and looks[0].shot.image is None:
        if body.is_mirrored(looks[0].points):
            judged.note(body.sides(looks[0]))
        return judged
    looks, stands = solid(looks, judged, measured)
    looks = in_pixels(looks, judged, stands)
    if stands:
        compare(looks, judged, source)
    else:
        judged.note(together.stance(looks[0]), *map(flat.coco, looks))
    mirrored = looks[0]
    if not judged.has("axes", "order of 3D") and body.is_mirrored(mirrored.points):
        bad = judged.has("sides of 2D")
        judged.drop("sides of 2D")
        judged.findings.append(
            body.sides(mirrored, "" if bad or not stands else ", and the 2D's sides are the same")
        )
    if not judged.has("cameras", "sides of 2D", "order of 2D"):
        judged.note(*map(person.jumps, shots))
    if judged.has("person"):
        judged.drop("agreement", "place of 2D")
    if (hint := rate(shots[0])) is not None and not judged.has("rate", "order of 3D"):
        judged.findings.append(hint)
    return judged


def solid(looks: list[Look], judged: Judged, measured: bool) -> tuple[list[Look], bool]:
    """The 3D put right shot by shot, and whether it is in a place that cameras see."""
    checks = (body.order, body.unit) if measured else (body.order,)
    mended, rooted, wrong = [], True, True
    judged.thigh = body.thigh(looks[0].points) if measured else math.nan
    for number, one in enumerate(looks):
        shared = number > 0 and one.shot.camera is not None  # one body in the world
        found = []
        if wrong or not shared:
            for check in checks:
                finding, points = check(one)
                one = one.moved(points)
                found += [finding] if finding else []
            wrong = bool(found)
            rooted &= not any(one.name == "unit" and body.UNKNOWN in one.meaning for one in found)
        if not shared:
            judged.findings += found
            if finding := body.relative(one):
                judged.findings.append(finding)
                rooted = False
        mended.append(one)
    return mended, rooted


def in_pixels(looks: list[Look], judged: Judged, placed: bool) -> list[Look]:
    """The 2D in pixels, and whether it lies in the image."""
    mended = []
    for one in looks:
        finding, one = flat.in_pixels(one, placed)
        judged.note(finding or flat.in_image(one))
        mended.append(one)
    return mended

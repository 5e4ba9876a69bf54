"""2D alone: pixels or not, and within the image."""

from __future__ import annotations

import numpy as np

from htpbench.checking.agreement import error
from htpbench.checking.look import Look
from htpbench.checking.orders import BODY
from htpbench.checking.verdict import Finding
from htpbench.motion.cameras import pixels

NORMALISED = 2.0  # 2D in pixels is farther from 0 somewhere
BEYOND = 0.1  # of the image that joints may lie outside it,
INSIDE = 0.99  # as most of them do not
FACE = 0.12  # of the body's height: within it lie the first five points of COCO
SCREEN, SHARES = "screen units", "shares of the image's width and height"


def in_pixels(look: Look, placed: bool) -> tuple[Finding | None, Look]:
    """2D in pixels; else what it is, and the look with pixels. placed: the 3D can be compared."""
    flat = look.flat[: len(look.shot.poses3d)]
    far = float(np.nanmax(np.abs(flat)))
    if far >= NORMALISED:
        return None, look
    size = np.array(look.shot.size, np.float64)
    ways = {
        SCREEN: pixels(look.flat, look.shot.size),
        SHARES: look.flat * size,
        "units of half the width and half the height": (look.flat + 1) / 2 * size,
    }
    low = float(np.nanmin(flat))
    name = SHARES if low >= 0 and far <= 1 else SCREEN
    if placed:
        errors = {one: error(look.shown(way)) for one, way in ways.items()}
        nearest = min(errors, key=lambda one: errors[one])
        name = nearest if errors[nearest] < errors[name] / 2 else name
    return Finding(
        "pixels",
        f"the 2D is never more than {far:.3g} from 0, and the image is {size[0]:.0f} px wide",
        str(look.shot),
        f"the 2D is in {name}; the layout has pixels: multiply it out",
    ), look.shown(ways[name])


def in_image(look: Look) -> Finding | None:
    """Nearly all joints lie in the image, or just outside."""
    width, height = look.shot.size
    part = look.seen / np.array([width, height])  # (n, 17, 2)
    inside = ((part >= -BEYOND) & (part <= 1 + BEYOND)).all(axis=-1)
    if inside.mean() >= INSIDE:
        return None
    return Finding(
        "image",
        f"{1 - inside.mean():.0%} of the joints lie outside the image of {width}x{height}",
        str(look.shot),
        "expected 1 % at most: the 2D is of images of another size, or of a crop",
    )


def coco(look: Look) -> Finding | None:
    """The first five points within a head's width, as COCO's face has them."""
    seen = look.seen
    tall = np.ptp(seen[:, BODY, 1], axis=1)
    face = np.ptp(seen[:, :5], axis=1).max(axis=-1)
    share = float(np.median(face / np.maximum(tall, 1e-9)))
    if share > FACE:
        return None
    return Finding(
        "order of 2D",
        f"the first five joints lie within {share:.0%} of the body's height",
        str(look.shot),
        "the joints are in the order of COCO, whose first five are the face: bring them to "
        "Human3.6M's by a map",
    )

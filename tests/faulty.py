"""Takes of Human3.6M's layout with one fault each, made of one sound take, and what names it."""

import numpy as np

from htpbench.checking.orders import ORDERS
from htpbench.datasets.human36m import facts
from htpbench.motion.cameras import screen
from htpbench.motion.clip import Take
from htpbench.motion.filmed import Shot
from htpbench.motion.skeleton import MIRROR

TAKE = Take("S9/Walking 1", "S9", "Walking", "test", trial="Walking 1")
COCO = [0, 0, 0, 0, 0, 11, 14, 12, 15, 13, 16, 4, 1, 5, 2, 6, 3]  # H36M's joint at each row
DHP = np.argsort(next(one for one in ORDERS if "3DHP" in one.name).rows, axis=0)[:, 0]


def detected(pixels, rng, sigma=4.0):
    """Detections: an error that drifts, about 8 frames long, and a little noise."""
    n = len(pixels)
    keys = rng.normal(0, sigma, (n // 8 + 3, *pixels.shape[1:]))
    low, part = np.arange(n) // 8, (np.arange(n) % 8 / 8)[:, None, None]
    drift = keys[low] * (1 - part) + keys[low + 1] * part
    return pixels + drift + rng.normal(0, 0.5, pixels.shape)


class Filming:
    """A body in the world (N, 17, 3) mm, and its 2D by the four cameras of a subject."""

    def __init__(self, world, seed=0, subject="S9"):
        ground = world[..., :2] - (world[..., :2].min((0, 1)) + world[..., :2].max((0, 1))) / 2
        self.world = np.concatenate([ground, world[..., 2:]], axis=-1).astype(np.float64)
        self.cameras, rng = facts.cameras()[subject], np.random.default_rng(seed)
        self.exact = [lens.project(lens.view(self.world)) for lens in self.cameras]
        self.flat = [detected(one, rng) for one in self.exact]

    def shots(self, world=None, flat=None):
        """As the reader would make them of 3D that it takes for metres, and of 2D."""
        world = self.world if world is None else world
        return [
            Shot(
                TAKE,
                name,
                lens.size,
                np.asarray(one, np.float32),
                viewed(lens, world),
                lens,
            )
            for name, lens, one in zip(facts.LENSES, self.cameras, flat or self.flat, strict=True)
        ]

    def each(self, change):
        """The 2D of all cameras, changed."""
        return [change(one) for one in self.flat]


def viewed(lens, world):
    with np.errstate(invalid="ignore"):
        return lens.view(np.asarray(world, np.float64))


def gone(array, frames, joint=3):
    """With NaN in some frames."""
    array = array.copy()
    array[frames, joint] = np.nan
    return array


def frozen(array, first, count):
    """With one frame for several."""
    array = array.copy()
    array[first : first + count] = array[first]
    return array


def delayed(array, lag):
    """Some frames later (or earlier), as long as before."""
    first, last = array[:1].repeat(max(lag, 0), 0), array[-1:].repeat(max(-lag, 0), 0)
    return np.concatenate([first, array[max(-lag, 0) : len(array) - max(lag, 0)], last])


def some(flat, change, cameras):
    """2D that is changed for some cameras."""
    return [change(one) if i in cameras else one for i, one in enumerate(flat)]


def away(array, first, last, way):
    """Somebody else for some frames."""
    array = array.copy()
    array[first:last] += way
    return array


def tall(array):
    return float(np.ptp(array[..., 1], axis=1).mean())


VARIANTS = {  # name: (the verdict, a text in its meaning or what was seen, what makes it)
    "millimetres": ("unit", "in millimetres", lambda f: f.shots(f.world * 1000)),
    "centimetres": ("unit", "in centimetres", lambda f: f.shots(f.world * 100)),
    "inches": ("unit", "in inches", lambda f: f.shots(f.world * 39.37)),
    "metres for mm": ("unit", "in metres", lambda f: f.shots(f.world / 1000)),
    "tenfold": ("unit", "no usual unit", lambda f: f.shots(f.world * 7)),
    "y up": ("axes", "(x, -z, y)", lambda f: f.shots(f.world[..., [0, 2, 1]] * [1, 1, -1])),
    "y down": ("axes", "(x, z, -y)", lambda f: f.shots(f.world[..., [0, 2, 1]] * [1, -1, 1])),
    "x up": ("axes", "(y, z, x)", lambda f: f.shots(f.world[..., [2, 0, 1]])),
    "z down": ("axes", "(x, -y, -z)", lambda f: f.shots(f.world * [1, -1, -1])),
    "x and y exchanged": ("axes", "(y, x, z)", lambda f: f.shots(f.world[..., [1, 0, 2]])),
    "x mirrored": ("axes", "(-x, y, z)", lambda f: f.shots(f.world * [-1, 1, 1])),
    "axes of a camera": (
        "axes",
        "along -y",
        lambda f: f.shots(f.cameras[0].view(f.world)),
    ),
    "relative": ("root", "relative", lambda f: f.shots(f.world - f.world[:, :1])),
    "3DHP order": ("order of 3D", "3DHP", lambda f: f.shots(f.world[:, DHP])),
    "no order": ("order of 3D", "", lambda f: f.shots(f.world[:, [*range(1, 17), 0]])),
    "sides of 3D": ("sides of 3D", "exchange", lambda f: f.shots(f.world[:, MIRROR])),
    "sides of both": (
        "sides of 3D",
        "the 2D's sides are the same",
        lambda f: f.shots(f.world[:, MIRROR], f.each(lambda a: a[:, MIRROR])),
    ),
    "sides of 2D": (
        "sides of 2D",
        "exchange",
        lambda f: f.shots(None, f.each(lambda a: a[:, MIRROR])),
    ),
    "sides of one camera": (
        "sides of 2D",
        "exchange",
        lambda f: f.shots(None, some(f.flat, lambda a: a[:, MIRROR], {2})),
    ),
    "sides for a while": (
        "sides of 2D",
        "frames",
        lambda f: f.shots(
            None,
            f.each(
                lambda a: np.where(
                    (np.arange(len(a)) < len(a) // 3)[:, None, None], a[:, MIRROR], a
                )
            ),
        ),
    ),
    "screen units": (
        "pixels",
        "screen units",
        lambda f: f.shots(
            None, [screen(a, c.size) for a, c in zip(f.flat, f.cameras, strict=True)]
        ),
    ),
    "shares": (
        "pixels",
        "shares",
        lambda f: f.shots(None, [a / c.size for a, c in zip(f.flat, f.cameras, strict=True)]),
    ),
    "COCO order": ("order of 2D", "COCO", lambda f: f.shots(None, f.each(lambda a: a[:, COCO]))),
    "2D in 3DHP order": (
        "order of 2D",
        "3DHP",
        lambda f: f.shots(None, f.each(lambda a: a[:, DHP])),
    ),
    "arms for legs": (
        "order of 2D",
        "row 11",
        lambda f: f.shots(
            None,
            f.each(lambda a: a[:, [0, 14, 15, 16, 11, 12, 13, *range(7, 11), 4, 5, 6, 1, 2, 3]]),
        ),
    ),
    "y of 2D upward": (
        "axes of 2D",
        "upward",
        lambda f: f.shots(None, f.each(lambda a: [0, 1000] + a * [1, -1])),
    ),
    "2D transposed": (
        "axes of 2D",
        "exchanged",
        lambda f: f.shots(None, f.each(lambda a: a[..., ::-1])),
    ),
    "images mirrored": (
        "axes of 2D",
        "mirrored",
        lambda f: f.shots(None, f.each(lambda a: ([1000, 0] + a * [-1, 1])[:, MIRROR])),
    ),
    "images halved": (
        "size of 2D",
        "the 2D is of images 0.5",
        lambda f: f.shots(None, f.each(lambda a: a * 0.52)),
    ),
    "images of HD": (
        "size of 2D",
        "the 2D is of images 1.9",
        lambda f: f.shots(None, f.each(lambda a: a * 1.92)),
    ),
    "cropped": ("place of 2D", "crop", lambda f: f.shots(None, f.each(lambda a: a - [120, 80]))),
    "cameras 1032": (
        "cameras",
        "1, 0, 3, 2",
        lambda f: f.shots(None, [f.flat[i] for i in (1, 0, 3, 2)]),
    ),
    "cameras 3210": (
        "cameras",
        "3, 2, 1, 0",
        lambda f: f.shots(None, [f.flat[i] for i in (3, 2, 1, 0)]),
    ),
    "cameras 1203": (
        "cameras",
        "1, 2, 0, 3",
        lambda f: f.shots(None, [f.flat[i] for i in (1, 2, 0, 3)]),
    ),
    "cameras 0213": (
        "cameras",
        "0, 2, 1, 3",
        lambda f: f.shots(None, [f.flat[i] for i in (0, 2, 1, 3)]),
    ),
    **{
        f"lag {lag}": (
            "lag",
            f"{abs(lag)} frames {'behind' if lag > 0 else 'ahead'}",
            lambda f, lag=lag: f.shots(None, f.each(lambda a: delayed(a, lag))),
        )
        for lag in (-20, -10, -5, -2, 3, 4, 12, 25)
    },
    **{
        f"3D every {step}": (
            "rate",
            f"the 3D has every {step}",
            lambda f, step=step: f.shots(f.world[::step]),
        )
        for step in (2, 3, 5)
    },
    **{
        f"2D every {step}": (
            "rate",
            f"the 2D has every {step}",
            lambda f, step=step: f.shots(None, f.each(lambda a: a[::step])),
        )
        for step in (2, 3, 5)
    },
    "2D short": ("lengths", "no 2D", lambda f: f.shots(None, f.each(lambda a: a[:-3]))),
    "2D short of one": (
        "lengths",
        "no 2D",
        lambda f: f.shots(None, some(f.flat, lambda a: a[:-9], {3})),
    ),
    "2D long": (
        "lengths",
        "times fewer",
        lambda f: f.shots(None, f.each(lambda a: np.concatenate([a, a[: len(a) // 3 + 1] + 0.1]))),
    ),
    "NaN in 3D": ("holes in 3D", "frame 7", lambda f: f.shots(gone(f.world, [7]))),
    "infinity in 3D": (
        "holes in 3D",
        "2 of",
        lambda f: f.shots(np.where(np.isnan(gone(f.world, [3, 4])), np.inf, f.world)),
    ),
    "NaN in 2D": (
        "holes in 2D",
        "3 of",
        lambda f: f.shots(None, some(f.flat, lambda a: gone(a, [5, 6, 9]), {1})),
    ),
    "frozen 3D": ("frozen 3D", "12 frames", lambda f: f.shots(frozen(f.world, 20, 12))),
    "frozen 2D": (
        "frozen 2D",
        "14 frames",
        lambda f: f.shots(None, some(f.flat, lambda a: frozen(a, 10, 14), {0})),
    ),
    "exact": ("exact", "name it gt", lambda f: f.shots(None, f.exact)),
    "exact for one": ("exact", "name it gt", lambda f: f.shots(None, [*f.flat[:3], f.exact[3]])),
    "another recording": (
        "agreement",
        "one recording",
        lambda f: f.shots(
            None,
            f.each(
                lambda a: (
                    [400, 300]
                    + (a - a.mean((0, 1))) * 0.4
                    + 90 * np.sin(np.arange(len(a)) / 9)[:, None, None]
                )
            ),
        ),
    ),
    "another person": (
        "person",
        "another person",
        lambda f: f.shots(None, some(f.flat, lambda a: away(a, 20, 30, [0.7 * tall(a), 0]), {1})),
    ),
    "another person to the end": (
        "person",
        "jumps",
        lambda f: f.shots(
            None, some(f.flat, lambda a: away(a, 25, None, [-0.8 * tall(a), 5]), {3})
        ),
    ),
    "unseen": (
        "unseen joints",
        "confidence 0",
        lambda f: f.shots(
            None,
            f.each(
                lambda a: np.concatenate(
                    [a, (np.arange(17) < 12)[:, None] * np.ones((len(a), 17, 1))], -1
                )
            ),
        ),
    ),
}

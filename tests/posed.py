"""Tracks that several test files show: somebody who walks, with truth, 2D and kept frames."""

from functools import cache

import numpy as np
import small

from htpbench.datasets.synthetic import Synthetic
from htpbench.poses.together import together
from htpbench.poses.track import Kept, Track

EVIL = "</script><script>alert(1)</script>{{script}}<!-- \u2028\x1b[2J"


@cache
def walked():
    """Poses (400, J, 3) of somebody."""
    return Synthetic().views("test").poses3d[:400]


def standing(frames, seed=0):
    """Poses that look like somebody, each frame a little different."""
    drawn = np.random.default_rng(seed).normal(0, 10, (frames, 17, 3))
    drawn[:, 0] = 0
    return (walked()[np.arange(frames) % 400] + drawn).astype(np.float32)


def kept(frames, size, stages=((0, 3, 6), (3,)), step=None):
    """Windows one behind the other, or every `step` frames, which all keep the same."""
    first = np.arange(0, frames, step or size)
    flags = np.zeros((len(stages), len(first), size), bool)
    for stage, chosen in enumerate(stages):
        flags[stage][:, list(chosen)] = True
    return Kept(first, flags, 50.0)


def track(frames=60, name="walk", seed=0, pruned=True, **more):
    pixels = np.random.default_rng(1).uniform(0, 1, (frames, 17, 3)) * [800, 600, 1]
    told = {"combination": small.PRUNED if pruned else small.NETWORK, "weights": "random"}
    usual = {
        "truth": standing(frames, 9),
        "keypoints": pixels.astype(np.float32),
        "size": (800, 600),
        "kept": kept(frames, 9) if pruned else None,
        "told": told,
    }
    return Track(name, 50.0, standing(frames, seed), **(usual | more))


def pair(**more):
    return together([track(pruned=False, **more), track(seed=2, **more)])

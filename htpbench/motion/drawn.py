"""Clips filmed anew: by cameras that are drawn, as a user's might stand, and by drawn detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from htpbench.motion.cameras import Camera, rig
from htpbench.motion.clip import Clip
from htpbench.motion.filming import placed, shown
from htpbench.motion.skeleton import ROOT
from htpbench.motion.views import Views

SIZES = ((1000, 1000), (1920, 1080), (1280, 720), (640, 480), (1080, 1920))  # px
FOCAL = 0.7, 1.5  # of the longer side: 71 to 37 degrees; phones have 0.8, Human3.6M 1.15
NEAREST = 1800.0, 6000.0  # mm, to the nearest point of the path that the root takes
HEIGHT = 400.0, 2300.0  # mm above the floor
AIM = 600.0, 1300.0  # mm above the floor, over the middle of the path
AWAY = 0.1  # radians that a camera turns away from what it aims at, one standard deviation
PITCH = np.deg2rad(25)  # steepest, up or down
ROLL = np.deg2rad(8), np.deg2rad(25)  # standard deviation, most
TRIES = 20  # cameras, until one sees
SEEN = 0.98  # of the joints
APART = 10  # frames that are looked at for it


def camera(reach: float, rng: np.random.Generator) -> Camera:
    """A camera that looks at the middle of a path that stays within `reach` (mm) of it."""
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    focal = rng.uniform(*FOCAL) * max(width, height)
    distance, above = reach + rng.uniform(*NEAREST), rng.uniform(*HEIGHT)
    pitch = np.arctan2(above - rng.uniform(*AIM), distance) + rng.normal(0, AWAY / 2)  # down
    pitch = np.clip(pitch, -PITCH, PITCH)
    roll = np.clip(rng.normal(0, ROLL[0]), -ROLL[1], ROLL[1])
    turns = (
        about((0, 0, 1), rng.normal(0, AWAY)),
        about((1, 0, 0), -np.pi / 2 - pitch),  # from looking up to looking along y
        about((0, 0, 1), roll),
    )
    return Camera(
        orientation=product(*turns),
        translation_mm=(0.0, -distance, above),
        focal=(focal, focal),
        center=(width / 2, height / 2),
        radial=(0.0, 0.0, 0.0),
        tangential=(0.0, 0.0),
        width=width,
        height=height,
    )


def suited(world: np.ndarray, rng: np.random.Generator) -> Camera:
    """A drawn camera that sees the person (N, 17, 3); else the one that sees most of it."""
    reach = float(np.linalg.norm(world[:, ROOT, :2], axis=-1).max())
    drawn = []
    for _ in range(TRIES):
        lens = camera(reach, rng)
        drawn.append((seen(world[::APART], lens), len(drawn), lens))
        if drawn[-1][0] >= SEEN:
            break
    return max(drawn)[-1]


def seen(world: np.ndarray, lens: Camera) -> float:
    """The share of joints (N, 17, 3) that lie in the image."""
    pixels = lens.project(lens.view(world))
    return float(((pixels >= 0) & (pixels < lens.size)).all(axis=-1).mean())


def about(axis: Sequence[float], angle: float) -> np.ndarray:
    """(w, x, y, z) of a turn about an axis of length 1."""
    return np.array([np.cos(angle / 2), *(np.sin(angle / 2) * np.array(axis))])


def product(*turns: np.ndarray) -> tuple[float, ...]:
    """Turns one after the other, each about the axes that those before have turned."""
    w, v = 1.0, np.zeros(3)
    for a, *b in turns:
        w, v = w * a - v @ b, w * np.array(b) + a * v + np.cross(v, b)
    return (float(w), *map(float, v))


def film(
    clips: Sequence[Clip], detectors: Sequence[str], share: float, seed: Sequence[int]
) -> Views:
    """Each clip once, by one camera, turned at random; what is drawn depends on the seed.

    share: of the clips, those that drawn cameras film; the others are shown to one of the rig.
    detectors: presets of the simulated detector ("gt": none), of which each view draws one.
    """
    rng = np.random.default_rng(seed)
    poses2d, frames, cameras = [], [], []
    for clip in clips:
        world = placed(clip.positions, rng.uniform(0, 2 * np.pi))
        ours = rig()[rng.integers(len(rig()))]
        cameras.append(suited(world, rng) if rng.random() < share else ours)
        source = detectors[int(rng.integers(len(detectors)))]
        found = shown(world, cameras[-1], source, rng)
        poses2d.append(found[0])
        frames.append(found[1])
    views = Views.of(clips, poses2d, frames, source=" or ".join(detectors))
    root = np.concatenate([each[:, ROOT] for each in frames]).astype(np.float32)
    return replace(views, root=root, cameras=tuple(cameras))

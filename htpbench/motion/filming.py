"""Clips in the world shown to the rig: exact projections become simulated detections."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.motion.cameras import Camera, rig
from htpbench.motion.clip import FRAME_RATE, Clip
from htpbench.motion.detections import noise_model, simulate
from htpbench.motion.skeleton import ROOT
from htpbench.motion.views import Views

CAMERAS = ("all", "rotate")


def make_views(
    clips: Sequence[Clip], source: str = "cpn", cameras: str = "all", seed: int = 0
) -> Views:
    """Show clips to the rig: "all" cameras each, or in turn ("rotate": clip i to camera i % 4).

    `source` is "gt" (exact projection, confidence 1) or a preset of the simulated detector. What a
    view looks like depends on the seed, the clip's name and the camera, not on the other clips.
    """
    if cameras not in CAMERAS:
        raise unknown("choice of cameras", cameras, CAMERAS)
    check_source(source)
    if not clips:
        raise BenchError("there are no clips to view; choose a split that has some")
    seen = [
        (i, camera)
        for i in range(len(clips))
        for camera in (range(len(rig())) if cameras == "all" else [i % len(rig())])
    ]
    stop = np.cumsum([len(clips[i].positions) for i, _ in seen], dtype=np.int64)
    start = np.concatenate([[0], stop[:-1]]).astype(np.int64)
    poses2d = np.empty((int(stop[-1]), *clips[0].positions.shape[1:]), dtype=np.float32)
    poses3d = np.empty_like(poses2d)
    root = np.empty_like(poses3d[:, ROOT])
    for (i, camera), a, b in zip(seen, start, stop, strict=True):
        poses2d[a:b], frame = _view(clips[i], camera, source, seed)
        root[a:b] = frame[:, ROOT]
        poses3d[a:b] = frame - frame[:, ROOT, None]
    clip, camera = np.array(seen, dtype=np.int64).T
    return Views(
        poses2d,
        poses3d,
        root,
        np.ones(len(poses2d), dtype=bool),
        start,
        stop,
        clip,
        camera,
        np.full(len(seen), FRAME_RATE),
        tuple(clips),
        rig(),
        source,
    )


def check_source(source: str) -> None:
    """BenchError where a 2D source is neither "gt" nor a preset of the simulated detector."""
    sources = ("gt", *noise_model()["presets"])
    if source not in sources:
        raise unknown("2D source", source, sources)


def _view(clip: Clip, camera: int, source: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """2D with confidence and 3D in the camera's frame, (N, 17, 3) both, of one clip."""
    lens = rig()[camera]
    name = int.from_bytes(hashlib.sha256(clip.name.encode()).digest()[:8], "little")
    yaw = np.random.default_rng([seed, name]).uniform(0, 2 * np.pi)
    rng = np.random.default_rng([seed, name, 1 + camera])  # [.., 0] would be the yaw's
    return shown(placed(clip.positions, yaw), lens, source, rng)


def shown(
    world: np.ndarray, lens: Camera, source: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """2D with confidence and 3D in the camera's frame, (N, 17, 3) both, of poses in the world."""
    frame = lens.view(world)
    pixels = lens.project(frame)
    confidence = np.ones(pixels.shape[:2])
    if source != "gt":
        pixels, confidence = simulate(pixels, source, rng)
    poses2d = np.concatenate([lens.normalise(pixels), confidence[..., None]], axis=-1)
    return poses2d, frame


def placed(positions: np.ndarray, yaw: float) -> np.ndarray:
    """World positions (N, 17, 3) mm, centred on the middle of their xy range, turned by the yaw."""
    ground = positions[..., :2].astype(np.float64)
    ground -= (ground.min(axis=(0, 1)) + ground.max(axis=(0, 1))) / 2
    turn = np.array([[np.cos(yaw), np.sin(yaw)], [-np.sin(yaw), np.cos(yaw)]])
    return np.concatenate([ground @ turn, positions[..., 2:]], axis=-1)

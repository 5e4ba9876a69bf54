"""Whether 2D is the projection of 3D: by the pinhole camera that fits best, with none known.

MPI-INF-3DHP has two truths, `annot3` and `univ_annot3`, whose bodies are scaled about the root to
one height. 2D fits the first exactly, and the second only once the scaling is undone.
"""

from __future__ import annotations

import numpy as np

from htpbench.motion.clip import FARTHEST
from htpbench.motion.skeleton import ROOT

LEAST, MOST = 0.85, 1.2  # scales that are tried
MOST_FRAMES = 200  # of a sequence that are looked at
EXACT_SCALE, EXACT_PX = 0.002, 1.5  # as near as that, the truth is `annot3`


def fit(poses3d: np.ndarray, poses2d: np.ndarray) -> tuple[float, float]:
    """The scale s that makes root + s (pose - root) fit the 2D best, and the RMS of what remains.

    3D (N, 17, 3): camera axes, mm, absolute. 2D (N, 17, 2): px. For each s, u = f X/Z + c is fitted
    for x and y apart by least squares; the RMS (px) is of both. NaN and infinity where no frame has
    numbers in front of the camera.
    """
    usable = (np.abs(poses3d) < FARTHEST).all((1, 2)) & (np.abs(poses2d) < FARTHEST).all((1, 2))
    usable &= (poses3d[..., 2] > 1).all(1)
    rows = np.flatnonzero(usable)
    if not len(rows):
        return float("nan"), float("inf")
    rows = rows[:: -(-len(rows) // MOST_FRAMES)]
    placed, seen = (each[rows].astype(np.float64) for each in (poses3d, poses2d))
    scales = np.linspace(LEAST, MOST, 36)
    while True:
        remains = [residual(placed, seen, scale) for scale in scales]
        best, step = scales[int(np.argmin(remains))], scales[1] - scales[0]
        if step < 2e-4:
            return float(best), float(min(remains))
        scales = np.linspace(best - step, best + step, 21)


def residual(poses3d: np.ndarray, poses2d: np.ndarray, scale: float) -> float:
    """RMS (px) of 2D (n, 17, 2) about the best lines through X/Z and Y/Z of scaled poses."""
    root = poses3d[:, ROOT, None]
    scaled = root + scale * (poses3d - root)
    slopes = (scaled[..., :2] / np.maximum(scaled[..., 2:], 1)).reshape(-1, 2)  # (n 17, 2)
    slopes -= slopes.mean(axis=0)
    seen = poses2d.reshape(-1, 2) - poses2d.reshape(-1, 2).mean(axis=0)
    focal = (slopes * seen).sum(axis=0) / np.maximum((slopes**2).sum(axis=0), 1e-12)
    return float(np.sqrt(((seen - focal * slopes) ** 2).mean()))


def truth(poses3d: np.ndarray, poses2d: np.ndarray) -> str:
    """Which truth of MPI-INF-3DHP a sequence has: "annot3" or "univ_annot3"; see `fit`."""
    return named(*fit(poses3d, poses2d))


def named(scale: float, rms: float) -> str:
    """The truth that fits so: see `fit`."""
    exact = abs(scale - 1) <= EXACT_SCALE and rms < EXACT_PX
    return "annot3" if exact else "univ_annot3"

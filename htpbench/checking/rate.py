"""A hint at the rate: how often people who walk put the same foot forward."""

from __future__ import annotations

import numpy as np

from htpbench.checking.verdict import Finding
from htpbench.motion.filmed import Shot

STRIDES = (0.5, 1.5)  # Hz; walking has 0.7 to 1.2
SHORTEST = 3.0  # s


def rate(shot: Shot) -> Finding | None:
    """Strides a second of a take of walking; never a doubt, for people also run and stroll."""
    if shot.take.action != "Walking" or len(shot.poses3d) < SHORTEST * shot.rate:
        return None
    poses = shot.poses3d.astype(np.float64)
    if not np.isfinite(poses).all():
        return None
    across = poses[:, 4] - poses[:, 1]  # (N, 3) hips, right to left
    trunk = poses[:, 8] - poses[:, 0]
    ahead = np.cross(across, trunk)
    apart = ((poses[:, 6] - poses[:, 3]) * ahead).sum(axis=1) / np.linalg.norm(ahead, axis=1)
    power = np.abs(np.fft.rfft(apart - apart.mean(), 4 * len(apart))) ** 2
    strides = float(np.fft.rfftfreq(4 * len(apart), 1 / shot.rate)[power.argmax()])
    if STRIDES[0] <= strides <= STRIDES[1]:
        return None
    return Finding(
        "rate",
        f"who walks makes {strides:.2f} strides a second at {shot.rate:g} Hz",
        shot.take.name,
        "walking has 0.7 to 1.2: is the rate another?",
        doubtful=False,
    )

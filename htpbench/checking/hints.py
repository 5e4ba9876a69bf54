"""Hints, which are worth a word and no doubt: the rate of who walks, and which truth it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from htpbench.checking.look import Look
from htpbench.checking.verdict import Finding
from htpbench.datasets.mpi3dhp.pinhole import fit, named
from htpbench.motion.filmed import Shot

STRIDES = (0.5, 1.5)  # Hz; walking has 0.7 to 1.2
SHORTEST = 3.0  # s


def rate(shot: Shot) -> Finding | None:
    """How often people who walk put the same foot forward; they also run and stroll."""
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


def truth(looks: Sequence[Look]) -> Iterator[Finding]:
    """Which of MPI-INF-3DHP's two the 3D of data without cameras is, by how well one fits its 2D.

    Errors against them are two tasks.
    """
    shot = looks[0].shot
    if shot.camera is not None or shot.image is not None:
        return
    frames = looks[0].frames
    scale, rms = fit(shot.poses3d[frames], shot.poses2d[frames, :, :2])
    if not np.isfinite(rms):  # nothing is in front of the camera: others say why
        return
    yield Finding(
        "truth",
        f"scaled by {scale:.3f} about the root the 3D fits the 2D best, within {rms:.2f} px",
        str(shot),
        f"the 3D is {named(scale, rms)}: errors against the other truth are another task",
        doubtful=False,
    )

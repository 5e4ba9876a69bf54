"""Which truth it is: of MPI-INF-3DHP there are two, and errors against them are two tasks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from htpbench.checking.look import Look
from htpbench.checking.verdict import Finding
from htpbench.datasets.mpi3dhp.pinhole import fit, named


def truth(looks: Sequence[Look]) -> Iterator[Finding]:
    """Which of the two the 3D of data without cameras is, by how well one fits its 2D: a hint."""
    shot = looks[0].shot
    if shot.camera is not None or shot.image is not None:
        return
    frames = looks[0].frames
    scale, rms = fit(shot.poses3d[frames], shot.poses2d[frames, :, :2])
    yield Finding(
        "truth",
        f"scaled by {scale:.3f} about the root the 3D fits the 2D best, within {rms:.2f} px",
        str(shot),
        f"the 3D is {named(scale, rms)}: errors against the other truth are another task",
        doubtful=False,
    )

"""Motion data: clips, cameras, simulated detections, windows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from htpbench.errors import BenchError

if TYPE_CHECKING:
    from htpbench.motion.clip import Motion

ACCEPTED = 'expected "synthetic" or the path of an .npz laid out as cmu17.npz, or "bvh:PATH"'


def open_motion(spec: str, seed: int = 0) -> Motion:
    """The motion that `spec` names.

    "synthetic" (drawn from `seed`), the path of an .npz, or "bvh:" and the path of a BVH file or of
    a folder of them.
    """
    if spec == "synthetic":
        from htpbench.motion.synthetic import generate

        return generate(seed)
    if spec.startswith("bvh:"):
        from htpbench.motion import bvh17

        return bvh17.read(spec.removeprefix("bvh:"))
    if Path(spec).suffix != ".npz":
        raise BenchError(f"unknown motion {spec!r}; {ACCEPTED}")
    if not os.path.isfile(spec):
        raise BenchError(f"there is no file {spec}; {ACCEPTED}")
    from htpbench.motion.cmu17 import read

    return read(spec)

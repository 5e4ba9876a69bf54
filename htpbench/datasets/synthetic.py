"""Embedded motion without data files or licences."""

from __future__ import annotations

from htpbench.errors import BenchError
from htpbench.motion.dataset import Motion
from htpbench.motion.people import people


class Synthetic(Motion):
    """Drawn people who walk, sit, jump, reach ...; by another seed they are others."""

    def __init__(self, path: str = "", seed: int = 0) -> None:
        if seed < 0:
            raise BenchError(f"seed={seed}: expected 0 or more")
        super().__init__("synthetic", people(seed))

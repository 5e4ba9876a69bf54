"""Compile: torch.compile with inductor, which writes and compiles code for the network."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from htpbench.engines import Call
from htpbench.engines.eager import Eager, cast

if TYPE_CHECKING:
    from htpbench.network.lifter import Lifter


class Compile(Eager):
    """Needs a C++ compiler; the first call compiles."""

    def prepare(self, lifter: Lifter, precision: str) -> Call:
        """See Engine."""
        import torch

        from htpbench.exporting.plain import Plain

        return partial(cast, torch.compile(Plain(lifter), dynamic=False), precision)  # type: ignore

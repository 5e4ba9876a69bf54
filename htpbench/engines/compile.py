"""Compile: torch.compile with inductor, which writes and compiles code for the network."""

from __future__ import annotations

import os
import shutil
from functools import partial
from typing import TYPE_CHECKING

from htpbench.engines import Call
from htpbench.engines.eager import Eager, cast
from htpbench.errors import BenchError

if TYPE_CHECKING:
    from htpbench.network.lifter import Lifter


MANY = 10_000  # networks of a process


class Compile(Eager):
    """torch.compile; the first call compiles, which needs a C++ compiler."""

    def check(self, name: str, precision: str, device: str) -> None:
        """See Engine."""
        super().check(name, precision, device)
        compilers = (os.environ.get("CXX", "c++"), "g++", "clang++")
        if device == "cpu" and not any(map(shutil.which, compilers)):
            raise BenchError(f"the engine {name} needs a C++ compiler: install g++, or set CXX")

    def prepare(self, lifter: Lifter, precision: str) -> Call:
        """See Engine."""
        import torch

        from htpbench.exporting.plain import Plain

        # Beyond the limit, of networks that share a forward pass, torch would go on uncompiled.
        limits = torch._dynamo.config
        limits.recompile_limit = limits.accumulated_recompile_limit = MANY  # type: ignore
        limits.fail_on_recompile_limit_hit = True  # type: ignore
        return partial(cast, torch.compile(Plain(lifter), dynamic=False), precision)  # type: ignore

"""The contract of engines."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from htpbench.engines import Engine
from htpbench.errors import BenchError
from htpbench.exporting.agreement import compare
from htpbench.network.build import build
from htpbench.systems.registry import ENGINES


class EngineContract:
    """An engine as meters rely on it. Set `name`, what it is registered under.

    Where its packages are not installed the tests that run it are skipped.
    """

    name: str
    combinations: ClassVar[tuple[str, ...]] = ("mixste.tiny-9", "mixste.tiny-9+tpc:3@1+tri")
    precisions: ClassVar[tuple[str, ...]] = ()  # tried; (): all that it has
    rough: ClassVar[float] = 0.1  # metres: how far poses of other precisions than float32 may be

    @property
    def engine(self) -> Engine:
        """The engine."""
        return ENGINES.load(self.name)()

    def test_its_precisions_are_known(self) -> None:
        """float32 is among them, for it is what others are compared with."""
        assert "float32" in self.engine.precisions

    def test_another_precision_is_refused(self) -> None:
        """By name, before anything is prepared."""
        with pytest.raises(BenchError):
            self.engine.check(self.name, "float3", "cpu")

    def test_it_says_what_the_network_says(self) -> None:
        """The same frames and, in float32, the same poses, whatever the batch."""
        able = [one for one in self.precisions or self.engine.precisions if self.runs(one)]
        if not able:
            pytest.skip(f"{self.name} cannot run here")
        for precision in able:
            for name in self.combinations:
                torch.manual_seed(0)
                lifter = build(name)
                call = self.engine.prepare(lifter, precision)
                with torch.inference_mode():
                    assert call(*lifter.example())[0].dtype == torch.float32, "poses are float32"
                    found = compare(lifter, call, (lifter.example(n) for n in (1, 3)))
                if precision == "float32":
                    assert found.same == found.clips == 4 and found.holds, f"{name}: {found}"
                else:  # less precise scores may choose other frames
                    known = not found.same or found.apart < self.rough
                    assert known, f"{name} in {precision}: {found}"

    def runs(self, precision: str) -> bool:
        """Whether it can run here."""
        try:
            self.engine.check(self.name, precision, "cpu")
        except BenchError:
            return False
        return True

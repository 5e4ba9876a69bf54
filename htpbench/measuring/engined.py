"""A lifter whose calls an engine makes."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from htpbench.engines import Engine
from htpbench.errors import BenchError
from htpbench.network.contracts import Lifted
from htpbench.network.lifter import Lifter


class Engined(Lifter):
    """The same inputs and outputs; parts of a pass cannot be told apart, nor frames replayed."""

    spans: ClassVar[tuple[str, ...]] = ()

    def __init__(self, lifter: Lifter, engine: Engine, precision: str) -> None:
        super().__init__(
            lifter.backbone,
            lifter.frames,
            lifter.pruner,
            lifter.schedule,
            lifter.recoverer,
            lifter.recovered,
            lifter.centred,
            conventions=lifter.conventions,
        )
        self.calls = (engine.prepare(lifter, precision),)  # no submodule, whatever it is

    def forward(self, *inputs: Tensor, replay: tuple[Tensor, ...] | None = None) -> Lifted:
        """See Lifter."""
        if replay:
            raise BenchError(
                "seq2frame with flip replays the frames of the first pass, which an engine cannot: "
                "leave out the engine and the precision, or set flip = false in [evaluation]"
            )
        (call,) = self.calls
        poses, frames, *kept = call(*inputs)
        return Lifted(poses, frames, tuple(kept))

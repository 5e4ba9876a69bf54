"""A lifter whose calls an engine makes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from htpbench.engines import Call, Engine, OnnxEngine
from htpbench.errors import BenchError
from htpbench.exporting.onnx import written
from htpbench.network.contracts import Lifted
from htpbench.network.lifter import Lifter


class Engined(Lifter):
    """The same inputs and outputs; parts of a pass cannot be told apart, nor frames replayed."""

    spans: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, lifter: Lifter, engine: Engine, precision: str, kept: Path | None = None
    ) -> None:
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
        call, self.load_s = loaded(lifter, engine, precision, kept)
        self.calls = (call,)  # no submodule, whatever it is

    def forward(self, *inputs: Tensor, replay: tuple[Tensor, ...] | None = None) -> Lifted:
        """See Lifter."""
        if replay:
            raise BenchError(
                "an engine cannot be told which frames to keep, as another pass kept them: leave "
                "out the engine and the precision"
            )
        (call,) = self.calls
        poses, frames, *kept = call(*inputs)
        return Lifted(poses, frames, tuple(kept))


def loaded(lifter: Lifter, engine: Engine, precision: str, kept: Path | None) -> tuple[Call, float]:
    """A lifter as an engine calls it, and the seconds that it took, from its file if it has one.

    kept: a folder of such files, of which each is written once.
    """
    if not isinstance(engine, OnnxEngine):
        begun = time.perf_counter()
        return engine.prepare(lifter, precision), time.perf_counter() - begun
    with written(lifter, kept) as path:
        begun = time.perf_counter()
        return engine.opened(path, precision), time.perf_counter() - begun

"""Memory: the most that is held at once during one forward pass."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from htpbench.engines import OnnxEngine
from htpbench.meters import Meter, Watch
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.measuring.context import Context

mebibytes = partial(Metric, unit="B", read="MiB", scale=2**20)


class Memory(Meter):
    """Of weights, inputs and all that a pass makes, at its peak: counted by tensor, or by CUDA.

    Of an engine that runs files what a process holds for one; of `compile` nothing is known.
    """

    turn = 15
    metrics = (
        mebibytes(
            name="memory.peak",
            exact=True,
            head="memory of a pass",
            brief="memory",
            first=True,
            terminal=True,
        ),
        mebibytes(name="memory.weights", exact=True, head="memory of weights"),
        mebibytes(
            name="memory.resident",
            head="memory of a process that runs it",
            brief="resident",
            first=True,
            terminal=True,
        ),
    )

    def applies(self, context: Context, combination: Combination) -> tuple[Metric, ...]:
        """See Meter."""
        peak, weights, resident = self.metrics
        if isinstance(context.engine, OnnxEngine):
            return (resident,)
        return (peak, weights) if context.study.engine == "eager" else ()

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter; every CPU holds the same tensors, and a GPU's allocator rounds."""
        batch = context.study.timing.size
        told = {"batch": batch, "dtype": "float32", "allocator": allocator(context)}
        if not isinstance(context.engine, OnnxEngine):
            return {**told, **context.ran_by}
        # Each thread has memory of its own, and weights are laid out as the CPU likes them.
        here = {name: context.environment[name] for name in ("threads", "device")}
        return {**told, "allocator": "a process", **here, **context.ran_by}

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter."""
        from htpbench.measuring import memory, resident

        lifter, study = context.built(combination), context.study
        if isinstance(context.engine, OnnxEngine):
            return resident.measure(lifter, study.engine, study.precision, study.timing.size)
        return memory.measure(context.run(lifter), study.timing.size, context.device)


def allocator(context: Context) -> str:
    """Who says what is held."""
    on_cpu = context.device == "cpu"
    return "tensors" if on_cpu else f"CUDA of {context.environment['device']}"

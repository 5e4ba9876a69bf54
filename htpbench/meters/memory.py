"""Memory: the most that is held at once during one forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from htpbench.meters import Meter, Watch
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.measuring.context import Context


class Memory(Meter):
    """Of weights, inputs and all that a pass makes, at its peak: counted by tensor, or by CUDA."""

    turn = 15
    metrics = (
        Metric(
            name="memory.peak",
            unit="B",
            exact=True,
            head="memory of a pass",
            brief="memory",
            read="MiB",
            scale=2**20,
            first=True,
            terminal=True,
        ),
        Metric(
            name="memory.weights",
            unit="B",
            exact=True,
            head="memory of weights",
            read="MiB",
            scale=2**20,
        ),
    )

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter; every CPU holds the same tensors, and a GPU's allocator rounds."""
        batch = context.study.timing.size
        return {"batch": batch, "dtype": "float32", "allocator": allocator(context)}

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter."""
        from htpbench.measuring import memory

        lifter = context.built(combination)
        return memory.measure(lifter, context.study.timing.size, context.device)


def allocator(context: Context) -> str:
    """Who says what is held."""
    on_cpu = context.device == "cpu"
    return "tensors" if on_cpu else f"CUDA of {context.environment['device']}"

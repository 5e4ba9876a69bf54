"""Training memory: the most that is held at once during a training step."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from htpbench.meters import Meter, Watch
from htpbench.meters.memory import allocator
from htpbench.meters.training import of_recipe, recipe
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.measuring.context import Context

held = partial(Metric, unit="B", exact=True, read="GiB", scale=2**30, decimals=2, first=True)


class TrainingMemory(Meter):
    """Of parameters, gradients, the optimiser's state and activations, on the recipe's batch."""

    turn = 16
    metrics = (
        held(
            name="training_memory.peak",
            head="memory of a training step",
            brief="training\nmemory",
            terminal=True,
        ),
        held(
            name="training_memory.plain",
            head="memory of a training step, attention matrices kept",
        ),
    )

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter."""
        return {
            **of_recipe(combination),
            "training_batch": recipe(combination).batch,
            "dtype": "float32",
            "allocator": allocator(context),
        }

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter."""
        import torch

        from htpbench.measuring import learning

        on_cpu = context.device == "cpu"
        found = []
        for name, plain in (("peak", False), ("plain", True)):
            with torch.device("meta" if on_cpu else context.device):
                lifter = context.built(combination)
            step = learning.Step(recipe(combination), lifter)
            peak = learning.memory(step, plain, context.device)
            found.append(Measurement(f"training_memory.{name}", peak))
        return found

"""Time: forward latency beside the reference's, and the share of pruning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from htpbench.meters import Meter, Watch
from htpbench.records.conditions import beyond
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.measuring.context import Context


class Time(Meter):
    """CUDA events on a GPU, perf_counter on a CPU."""

    turn = 20
    version = 2
    exclusive = True
    metrics = (
        Metric(
            name="time.forward",
            unit="s",
            head="forward time",
            brief="forward",
            read="ms",
            scale=1e-3,
            decimals=2,
            first=True,
            terminal=True,
            bounded=True,
        ),
        Metric(
            name="time.clips_per_second",
            unit="1/s",
            head="clips per second",
            better="more",
        ),
        Metric(
            name="time.frames_per_second",
            unit="1/s",
            head="frames per second",
            better="more",
            decimals=0,
        ),
        Metric(
            name="time.speedup",
            head="speed-up",
            brief="speed-up",
            read="x",
            better="more",
            to_reference=True,
            decimals=2,
            first=True,
            terminal=True,
            bounded=True,
        ),
        Metric(
            name="time.prune_share",
            head="share of pruning and recovering",
            brief="pruning",
            read="%",
            scale=1e-2,
            first=True,
            terminal=True,
        ),
        Metric(name="time.first", unit="s"),
        Metric(name="time.breakdown", unit="s", kind="list", labels=".+"),
        Metric(name="time.overhead"),
    )

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter."""
        return clocked(context)

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter."""
        from htpbench.measuring import timing

        lifters = [context.built(one) for one in beside(context, combination)]
        return timing.measure(lifters, context.device, **context.study.timing.model_dump())[-1]


def beside(context: Context, combination: Combination) -> list[Combination]:
    """The reference, and the combination where it is another."""
    reference = context.study.reference_combination()
    return [reference] if combination == reference else [reference, combination]


def clocked(context: Context) -> dict[str, Any]:
    """How a clock is read: the inputs, the reference and the study's [timing]."""
    reference = context.study.reference_combination()
    return {
        "dtype": "float32",
        "inputs": "random",
        "reference": str(reference),
        **beyond(reference_masked=(context.masked(reference), False)),
        **context.study.timing.model_dump(),
    }

"""Cost: parameters and operations of one forward pass at batch 1, in four conventions."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from htpbench.meters import Meter, Watch
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.measuring.context import Context

billions = partial(Metric, exact=True, read="G", scale=1e9, decimals=2)


class Cost(Meter):
    """Counted on the `meta` device: nothing is computed."""

    turn = 10
    metrics = (
        Metric(
            name="cost.params",
            exact=True,
            head="parameters",
            brief="para-\nmeters",
            read="M",
            scale=1e6,
            decimals=2,
            first=True,
        ),
        billions(
            name="cost.flops_published",
            unit="FLOP",
            head="FLOPs, papers' convention",
            brief="FLOPs,\npapers'",
            first=True,
        ),
        billions(
            name="cost.flops",
            unit="FLOP",
            head="FLOPs, all counted",
            brief="FLOPs,\nall",
            first=True,
            terminal=True,
        ),
        billions(
            name="cost.macs_fvcore",
            unit="MAC",
            head="multiply-adds, fvcore",
            brief="MACs,\nfvcore",
        ),
        billions(
            name="cost.macs_ptflops",
            unit="MAC",
            head="multiply-adds, ptflops",
            brief="MACs,\nptflops",
        ),
    )

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter."""
        return {"batch": 1}

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter."""
        import torch

        from htpbench.measuring import counting

        with torch.device("meta"):
            return counting.measure(context.built(combination))

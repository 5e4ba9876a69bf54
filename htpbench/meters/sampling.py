"""Sampling: what a whole prediction of a diffusion lifter costs, which is many calls of it."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from htpbench.errors import BenchError
from htpbench.meters import Meter, Watch
from htpbench.meters.time import beside, clocked
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.measuring.context import Context

KEPT = ("hypotheses", "iterations", "replay")  # neither the rule nor the noise takes time
billions = partial(Metric, unit="FLOP", exact=True, read="G", scale=1e9, decimals=2)


class Sampling(Meter):
    """H hypotheses, K calls each, twice with flip augmentation."""

    turn = 30
    exclusive = True
    metrics = (
        Metric(name="sampling.calls", exact=True, head="denoiser calls", decimals=0),
        billions(name="sampling.flops_published", head="FLOPs of all calls, papers' convention"),
        billions(
            name="sampling.flops",
            head="FLOPs of all calls, all counted",
            brief="FLOPs,\nall calls",
            first=True,
            terminal=True,
        ),
        billions(name="sampling.training_flops", head="FLOPs of a training step", first=True),
        Metric(
            name="sampling.forward",
            unit="s",
            head="time of a whole prediction",
            brief="all calls",
            read="ms",
            scale=1e-3,
            terminal=True,
        ),
        Metric(
            name="sampling.clips_per_second",
            unit="1/s",
            head="whole predictions per second",
            better="more",
            decimals=2,
        ),
        Metric(
            name="sampling.frames_per_second",
            unit="1/s",
            head="frames per second, all calls",
            better="more",
            decimals=0,
        ),
        Metric(
            name="sampling.speedup",
            head="speed-up of a whole prediction",
            brief="speed-up,\nall calls",
            read="x",
            better="more",
            to_reference=True,
            decimals=2,
            first=True,
            terminal=True,
            bounded=True,
        ),
        Metric(
            name="sampling.prune_share",
            head="share of pruning, all calls",
            read="%",
            scale=1e-2,
        ),
    )

    def applies(self, context: Context, combination: Combination) -> tuple[Metric, ...]:
        """See Meter; a lifter of one pass has nothing to sample."""
        return self.metrics if context.sampled(combination) else ()

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter."""
        drawn = asdict(context.sampling)
        sampling = {name: drawn[name] for name in KEPT}
        flip = context.study.evaluation.flip
        return {"sampling": sampling, "flip": flip, **clocked(context)}

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter."""
        from htpbench.measuring import predicting

        reference, *_ = timed = beside(context, combination)
        if not context.sampled(reference):
            raise BenchError(
                f"the speed-up of {combination} refers to {reference}, which is no diffusion "
                "lifter; name one as the study's `reference`"
            )
        lifters, study = [context.built(one) for one in timed], context.study
        how = context.sampling, study.evaluation.flip, context.device
        return predicting.measure(lifters, *how, **study.timing.model_dump())

"""Sampling: what a whole prediction of a diffusion lifter costs, which is more than one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from htpbench.errors import BenchError
from htpbench.meters import Found
from htpbench.meters.time import (
    Clocked,
    gained,
    of_processes,
    percent,
    rate,
    rounds,
    seconds,
    watched,
)
from htpbench.meters.time import conditions as timed
from htpbench.records.conditions import beyond
from htpbench.records.measurement import Measurement
from htpbench.study.settings import SamplingSettings
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.diffusion.refined import Refined
    from htpbench.diffusion.sampler import HypothesisSampler
    from htpbench.measuring.context import Context

KEPT = ("hypotheses", "iterations", "replay")  # neither the rule nor the noise takes time
REFINED = {"steps": 6, "calls": 1}  # of DiffPose's video version
COUNTED = ("calls", "flops_published", "flops", "training_flops")
billions = partial(Metric, unit="FLOP", exact=True, read="G", scale=1e9, decimals=2)


class Sampling(Clocked):
    """H hypotheses, K calls each, twice with flip augmentation; or a pass and its refinement."""

    turn = 30
    version = 2
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
        seconds(
            name="sampling.forward",
            clock="time",
            head="time of a whole prediction",
            brief="all calls",
            terminal=True,
        ),
        rate(
            name="sampling.clips_per_second",
            clock="rate",
            head="whole predictions per second",
            decimals=2,
        ),
        rate(
            name="sampling.frames_per_second",
            clock="rate",
            head="frames per second, all calls",
            decimals=0,
        ),
        gained(
            name="sampling.speedup",
            clock="gain",
            head="speed-up of a whole prediction",
            brief="speed-up,\nall calls",
            first=True,
            terminal=True,
        ),
        percent(name="sampling.prune_share", head="share of pruning, all calls"),
        percent(name="sampling.tells", head="tells speed-ups of all calls that differ by"),
        *watched("sampling"),
    )

    def applies(self, context: Context, combination: Combination) -> tuple[Metric, ...]:
        """See Meter; a lifter of one pass has nothing to sample."""
        every = super().applies(context, combination)
        if combination.card.refined:  # its two networks are trained one after the other
            return tuple(one for one in every if one.name != "sampling.training_flops")
        return every if context.sampled(combination) else ()

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter."""
        how = {"flip": context.study.evaluation.flip, **timed(context)}
        drawn = asdict(context.sampling)
        sampling = {name: drawn[name] for name in KEPT}
        sampling |= beyond(rows=(drawn["rows"], SamplingSettings().rows))
        if not combination.card.refined:
            return {"sampling": sampling, **how}
        base = {} if context.study.reference_combination().card.refined else sampling
        return {"refined": REFINED, **how, **beyond(reference_sampling=(base, {}))}

    def together(
        self, context: Context, combinations: Sequence[Combination], begin: Callable[..., None]
    ) -> Iterator[Found]:
        """See Meter; operations are counted in the first process alone."""
        from htpbench.measuring import sampled

        reference = context.study.reference_combination()
        if not self.applies(context, reference):
            raise BenchError(
                f"the speed-up of {combinations[0]} refers to {reference}, which is no diffusion "
                "lifter; name one as the study's `reference`"
            )
        for one, found in rounds(context, combinations, begin, whole):
            if context.process == 0 and not isinstance(found, Exception):
                begin(one)
                counts = sampled.counts(whole(context, one))
                found.append(Measurement("counted", [*map(float, counts)]))
            yield one, found

    def joined(self, found: Sequence[list[Measurement]]) -> list[Measurement]:
        """See Meter."""
        known = {metric.name for metric in self.metrics}
        (counts,) = (one.value for one in found[0] if one.metric == "counted")
        counted = [
            Measurement(f"sampling.{name}", int(count))
            for name, count in zip(COUNTED, counts, strict=False)  # type: ignore[arg-type]
        ]
        timed = of_processes("sampling", found)
        return counted + [one for one in timed if one.metric in known]


def whole(context: Context, combination: Combination) -> HypothesisSampler | Refined:
    """All calls of a prediction."""
    from htpbench.diffusion.refined import Refined
    from htpbench.diffusion.sampler import HypothesisSampler

    lifter, augment = context.built(combination), context.study.evaluation.flip
    if combination.card.refined:
        return Refined(lifter, augment, **REFINED)
    return HypothesisSampler(lifter, context.sampling, augment)

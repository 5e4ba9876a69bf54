"""Combinations assembled from their parts: the only place that knows all systems by name."""

from __future__ import annotations

from htpbench.errors import BenchError, NotBuilt
from htpbench.network.attention import check_attention
from htpbench.network.contracts import Backbone, Pruner, Recoverer
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import Combination, Part, parse
from htpbench.systems.registry import BACKBONES, PRUNERS, RECOVERERS


def build(
    combination: Combination | str,
    pipeline: str | None = None,
    any_schedule: bool = False,
    masked: bool = False,
) -> Lifter:
    """Assemble a combination with fresh weights, drawn from torch's global generator.

    any_schedule: the recoverer's parameters do not depend on the schedule. masked: see Lifter.
    BenchError where the parts refuse each other, NotBuilt where one has no code, Faulty where the
    pruner does not keep its contract.
    """
    if isinstance(combination, str):
        combination = parse(combination)
    if combination.missing():
        raise NotBuilt(f"{combination}: {', '.join(combination.missing())} not built yet")
    centred = combination.pipeline(pipeline) == "seq2frame"
    cls = BACKBONES.load(combination.backbone)
    if cls.dense and combination.pruner and (combination.recovered or not combination.recoverer):
        raise BenchError(f"{combination}: {combination.backbone} must return all F frames")
    if cls.per_length and any_schedule:
        raise BenchError(
            f"{combination.backbone} cannot serve any schedule: it has parameters for each frame; "
            "train it for one schedule"
        )
    if cls.per_length and masked:
        raise BenchError(f"{combination.backbone} cannot be masked: its blocks fit one length each")
    variant = combination.card.variants[combination.variant].parameters()
    backbone = cls(frames=combination.frames, lengths=combination.lengths(), **variant)
    if combination.pruner and "attention" in PRUNERS.load(combination.pruner.name).needs:
        check_attention(f"{combination}: {combination.pruner}", combination.schedule, backbone)
    ranks = None if any_schedule else [r for r, _ in combination.schedule]
    recoverer = combination.recoverer
    lifter = Lifter(
        backbone,
        combination.frames,
        pruner=build_pruner(combination.pruner) if combination.pruner else None,
        schedule=combination.schedule,
        recoverer=build_recoverer(recoverer, combination.frames, ranks, backbone)
        if recoverer
        else None,
        recovered=combination.recovered,
        centred=centred,
        masked=masked,
    )
    lifter.try_pruner()
    return lifter


def build_pruner(part: Part) -> Pruner:
    """A pruner with its options."""
    return PRUNERS.load(part.name)(**dict(part.options))


def build_recoverer(
    part: Part, frames: int, ranks: list[int] | None, backbone: Backbone
) -> Recoverer:
    """A recoverer sized for a backbone; ranks = None serves any schedule."""
    cls = RECOVERERS.load(part.name)
    return cls(frames, ranks, backbone.stacked, backbone.width, **dict(part.options))

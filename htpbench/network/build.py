"""Combinations assembled from their parts: the only place that knows all systems by name."""

from __future__ import annotations

from htpbench.errors import BenchError
from htpbench.network.attention import check_attention
from htpbench.network.contracts import Backbone, Pruner, Recoverer
from htpbench.network.conventions import Conventions
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import Combination, Part, parse
from htpbench.systems.refusals import WHOLLY, refusals
from htpbench.systems.registry import BACKBONES, PRUNERS, RECOVERERS


def build(
    combination: Combination | str,
    pipeline: str | None = None,
    any_schedule: bool = False,
    masked: bool = False,
) -> Lifter:
    """Assemble a combination with fresh weights, drawn from torch's global generator.

    any_schedule: the recoverer's parameters do not depend on the schedule. masked: see Lifter.
    BenchError where the parts refuse each other, Faulty where the pruner breaks its contract.
    """
    if isinstance(combination, str):
        combination = parse(combination)
    cls, card = BACKBONES.load(combination.backbone), combination.card
    if cls.one_pose != card.one_pose:
        right = str(cls.one_pose)
        raise BenchError(f"{combination.backbone}: write one_pose={right} in its BackboneCard")
    pruner = build_pruner(combination.pruner) if combination.pruner else None
    refuse(combination, pruner, pipeline, any_schedule, masked)
    variant = card.variants[combination.variant]
    backbone = cls(frames=combination.frames, lengths=combination.lengths(), **variant.parameters())
    if card.order and len(card.order) != backbone.joints:
        said = f"`order` of its card has {len(card.order)} joints, not {backbone.joints}"
        raise BenchError(f"{combination.backbone}: {said}")
    if combination.pruner and "attention" in PRUNERS.load(combination.pruner.name).needs:
        check_attention(f"{combination}: {combination.pruner}", combination.schedule, backbone)
    ranks = None if any_schedule else [r for r, _ in combination.schedule]
    recoverer = combination.recoverer
    lifter = Lifter(
        backbone,
        combination.frames,
        pruner=pruner,
        schedule=combination.schedule,
        recoverer=build_recoverer(recoverer, combination.frames, ranks, backbone)
        if recoverer
        else None,
        recovered=combination.recovered,
        centred=combination.pipeline(pipeline) == "seq2frame",
        masked=masked,
        conventions=Conventions(card.order, card.normalisation, variant.root_relative),
    )
    lifter.try_pruner()
    return lifter


def refuse(
    combination: Combination,
    pruner: Pruner | None,
    pipeline: str | None,
    any_schedule: bool,
    masked: bool,
) -> None:
    """BenchError where the parts refuse each other in the use that is asked for."""
    names = [part.name if part else None for part in (combination.pruner, combination.recoverer)]
    asked = {
        WHOLLY: pruner is not None,
        combination.pipeline(pipeline): pruner is not None,
        "f < F": combination.recovered is not None,
        "any schedule": any_schedule,
        "masked": masked,
        "edges": pruner is not None and pruner.edges,
    }
    for use, reason in refusals(combination.backbone, *names).items():
        if asked.get(use):
            raise BenchError(f"{combination}: {reason}")


def build_pruner(part: Part) -> Pruner:
    """A pruner with its options."""
    return PRUNERS.load(part.name)(**dict(part.options))


def build_recoverer(
    part: Part, frames: int, ranks: list[int] | None, backbone: Backbone
) -> Recoverer:
    """A recoverer sized for a backbone; ranks = None serves any schedule."""
    cls = RECOVERERS.load(part.name)
    return cls(frames, ranks, backbone.stacked, backbone.width, **dict(part.options))

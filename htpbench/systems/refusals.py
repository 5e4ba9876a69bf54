"""What a backbone refuses for what its class declares: the one list for `build`, `ls` and training.

A class is loaded when it is asked about. Attention that is not there to read is looked up in the
blocks: see `htpbench.network.attention`.
"""

from __future__ import annotations

from htpbench.systems.cards import BackboneCard
from htpbench.systems.registry import BACKBONES, PRUNERS, RECOVERERS

WHOLLY = "any use"


def refusals(
    backbone: str, pruner: str | None = None, recoverer: str | None = None
) -> dict[str, str]:
    """Use -> why a backbone refuses it, pruned or not, with a recoverer or without.

    Uses are "any use", "seq2seq", "f < F", "any schedule", "masked" and "edges".
    """
    cls, card = BACKBONES.load(backbone), BACKBONES.card(backbone)
    found = {}
    if isinstance(card, BackboneCard) and not any(one.blocks for one in card.variants.values()):
        nowhere = f"{backbone} has no block before which frames can be pruned"
        found = {WHOLLY: nowhere, "any schedule": nowhere}
    if pruner:
        where = RECOVERERS.load(recoverer).where if recoverer else ""
        if cls.dense:
            found["f < F" if recoverer else WHOLLY] = f"{backbone} needs all F frames at its head"
        if cls.one_pose and where == "poses":
            found[WHOLLY] = f"{recoverer} recovers poses, and {backbone} gives one a clip"
        if cls.one_pose:
            found["seq2seq"] = f"{backbone} gives one pose a clip, not seq2seq"
        elif not recoverer:
            found["seq2seq"] = "seq2seq needs a recoverer"
        if cls.mixes_frames and "edges" in PRUNERS.card(pruner).options:
            found["edges"] = f"blocks of {backbone} mix neighbouring frames, whatever links say"
    if cls.per_length:
        found["any schedule"] = (
            f"{backbone} cannot serve any schedule: it has parameters for each frame; train it for "
            "one schedule"
        )
        found["masked"] = f"{backbone} cannot be masked: its blocks fit one length each"
    if cls.mixes_frames:
        found["masked"] = f"{backbone} cannot be masked: its blocks mix neighbouring frames"
    return found

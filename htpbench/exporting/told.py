"""What a file says of the network in it, for whoever has nothing but the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from htpbench.motion.clip import FRAME_RATE
from htpbench.motion.skeleton import JOINTS
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import Combination

SCREEN = "pixels from the image's centre, over half its width; x to the right, y down"
PERSON = f"{SCREEN}; only the person in itself is looked at"


def told(
    combination: Combination,
    pipeline: str,
    lifter: Lifter,
    card: dict[str, Any],
    weights: Path | None,
) -> dict[str, str]:
    """Texts by key, of a combination and the card and file of its weights (None: they are random).

    Lists are JSON.
    """
    alone = combination.card.variants[combination.variant].root_relative
    recipe, converted = card.get("recipe", {}), "source" in card
    ours = lifter.backbone.joints == len(JOINTS)
    found = {
        "combination": str(combination),
        "pipeline": pipeline,
        "frames": lifter.frames,
        "centre": lifter.centre if pipeline == "seq2frame" else None,
        "joints": JOINTS if ours else None,
        "poses2d": PERSON if alone else SCREEN,
        "poses3d": "metres in the camera's axes, relative to the pelvis",
        "frame_rate": FRAME_RATE / recipe.get("every", 1) if recipe and not converted else None,
        "trained_on": recipe.get("data"),
        "detections": recipe.get("detectors") or recipe.get("detections"),
        "weights": weights.stem if weights else "random",
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest() if weights else None,
        "licence": combination.card.licence if converted else "MIT",
    }
    return {
        name: one if isinstance(one, str) else json.dumps(one)
        for name, one in found.items()
        if one is not None
    }

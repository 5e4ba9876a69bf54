"""What a file says of the network in it, for whoever has nothing but the file."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from htpbench.motion.clip import FRAME_RATE
from htpbench.motion.skeleton import JOINTS
from htpbench.network.lifter import Lifter
from htpbench.network.weights import shipped
from htpbench.systems.combination import Combination

SCREEN = "x to the right, y down in pixels from the image's centre, over half its width"
CONFIDENCE = "; then the detection's confidence"
PERSON = "; only the person in itself is looked at"
UNITS = {  # of what networks say
    "m": "metres in the camera's axes",
    "mm": "millimetres in the camera's axes",
    "half-width": "millimetres in the camera's axes, over half the image's width in pixels",
    "2.5D": "screen units, depth in them as well",
}
AS_CONVERTED = "in the unit that the original was trained for, in the camera's axes"


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
    seen = SCREEN + CONFIDENCE * (lifter.backbone.channels == 3) + PERSON * alone
    ours = lifter.backbone.joints == len(JOINTS)
    unit = UNITS[card["unit"]] if "unit" in card else AS_CONVERTED if converted else UNITS["m"]
    found = {
        "combination": str(combination),
        "pipeline": pipeline,
        "frames": lifter.frames,
        "centre": lifter.centre if pipeline == "seq2frame" else None,
        "joints": JOINTS if ours else None,
        "poses2d": seen,
        "poses3d": f"{unit}; subtract the pelvis",
        "frame_rate": FRAME_RATE / recipe.get("every", 1) if recipe and not converted else None,
        "trained_on": recipe.get("data"),
        "detections": recipe.get("detectors") or recipe.get("detections"),
        "weights": weights.stem if weights else "random",
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest() if weights else None,
        "licence": licence(combination, weights, converted),
    }
    return {
        name: one if isinstance(one, str) else json.dumps(one)
        for name, one in found.items()
        if one is not None
    }


def licence(combination: Combination, weights: Path | None, converted: bool) -> str | None:
    """That of the original code for what was converted, ours for what we ship; else unknown."""
    if converted:
        return combination.card.licence
    return "MIT" if weights is not None and weights in shipped().values() else None

"""What the official code of a backbone does on data of one layout, where nothing else is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.views import Views
from htpbench.systems.cards import BackboneCard, Official

# By layout: what most of the official codes do. Cards of backbones say where theirs differ.
USUAL = {
    "": Official(protocol="once"),
    "h36m": Official(protocol="hot"),
    "motionbert": Official(protocol="motionbert", unit="2.5D"),
    "3dhp": Official(protocol="3dhp"),
}


def official(layout: str, card: BackboneCard) -> Official:
    """How a backbone is scored on data of a layout."""
    return card.official.get(layout, USUAL.get(layout, USUAL[""]))


def usual_protocol(layout: str, card: BackboneCard, pruned: bool) -> str:
    """The protocol of a backbone in a study; `pruned`: whether the study prunes its frames."""
    found = official(layout, card)
    return found.pruned if pruned and found.pruned else found.protocol


def in_unit(views: Views, unit: str) -> Views:
    """The same views for networks that say poses in another unit; BenchError: it is not known.

    m, mm; half-width: root-relative mm over half of the image's width in px, as MotionAGFormer has
    3DHP; 2.5D: screen units, which the data alone can turn into mm.
    """
    if unit == views.unit:
        return views
    if views.unit != "m" or unit == "2.5D":
        raise BenchError(
            f"networks that say {unit} are not scored on this data, which takes {views.unit}"
        )
    if unit == "mm":
        scale = np.ones(len(views.start), np.float32)
    elif unit == "half-width":
        if views.widths is None:
            raise BenchError("poses in half of the image's width need the images' widths, px")
        scale = views.widths.astype(np.float32) / 2
    else:
        raise BenchError(f"unknown unit {unit!r} of poses; expected m, mm or half-width")
    return replace(views, unit=unit, scale=np.repeat(scale, views.stop - views.start))

"""Whether what was exported says what the lifter says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from htpbench.exporting.plain import Plain
from htpbench.network.lifter import Lifter

NEAR = 1e-5  # metres
MOST = 0.9  # of the clips: of the rest near ties may go the other way
Inputs = tuple[Tensor, ...]


class Agreement(NamedTuple):
    """Of so many clips those of which the same frames were kept, and how far their poses differ."""

    clips: int
    same: int
    apart: float  # metres at the most; NaN where there is no such clip

    @property
    def holds(self) -> bool:
        """Whether most clips keep the same frames, and their poses are the same."""
        return self.apart <= NEAR and self.same >= MOST * self.clips

    def __str__(self) -> str:
        frames = f"the same frames kept of {self.same} of {self.clips} clips"
        return (
            frames if math.isnan(self.apart) else f"{frames}, their poses within {self.apart:.1e} m"
        )


def compare(
    lifter: Lifter, call: Callable[..., Inputs], every: Iterable[Inputs], metre: float = 1.0
) -> Agreement:
    """Ask both for each of some batches of inputs; `metre`: how many of their units make one."""
    plain, clips, same, apart = Plain(lifter), 0, 0, torch.tensor(-math.inf)
    for inputs in every:
        with torch.inference_mode():
            mine = plain(*inputs)
        theirs = call(*inputs)
        kept = torch.ones(len(mine[0]), dtype=torch.bool)
        for one, other in zip(mine[1:], theirs[1:], strict=True):
            kept &= (one == other).flatten(1).all(dim=1)
        clips, same = clips + len(kept), same + int(kept.sum())
        if kept.any():
            found = (mine[0] - theirs[0])[kept].abs().max()
            apart = torch.maximum(apart, found)  # what is not a number stays
    return Agreement(clips, same, apart.item() / metre if same else math.nan)

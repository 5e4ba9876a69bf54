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
Inputs = tuple[Tensor, ...]


class Agreement(NamedTuple):
    """Of so many clips those of which the same frames were kept, and how far their poses differ."""

    clips: int
    same: int
    apart: float  # metres at the most; NaN where there is no such clip

    @property
    def holds(self) -> bool:
        """Whether poses of clips with the same frames are the same."""
        return self.apart <= NEAR

    def __str__(self) -> str:
        frames = f"the same frames kept of {self.same} of {self.clips} clips"
        return (
            frames if math.isnan(self.apart) else f"{frames}, their poses within {self.apart:.1e} m"
        )


def compare(lifter: Lifter, call: Callable[..., Inputs], every: Iterable[Inputs]) -> Agreement:
    """Ask both for each of some batches of inputs."""
    plain, clips, same, apart = Plain(lifter), 0, 0, [math.nan]
    for inputs in every:
        with torch.inference_mode():
            mine = plain(*inputs)
        theirs = call(*inputs)
        kept = torch.ones(len(mine[0]), dtype=torch.bool)
        for one, other in zip(mine[1:], theirs[1:], strict=True):
            kept &= (one == other).flatten(1).all(dim=1)
        clips, same = clips + len(kept), same + int(kept.sum())
        if kept.any():
            apart.append((mine[0] - theirs[0])[kept].abs().max().item())
    return Agreement(clips, same, max(apart[1:], default=math.nan))

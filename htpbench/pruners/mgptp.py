"""Mask-guided pose token pruning of HTP; the form is ours (docs/htp.md)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from htpbench.errors import BenchError
from htpbench.network.contracts import Pruner, View
from htpbench.network.positions import density_peaks, top


class MGPTP(Pruner):
    """Keeps r cluster centres of the frames that are left, weighed by the attention they receive.

    Density-peaks clustering with k neighbours; a score is multiplied by (a / mean a)^gamma, a the
    temporal attention that a frame receives in the block about to run. gamma = 0: the mask alone.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"attention"})

    def __init__(self, gamma: float = 0.5, k: int = 5) -> None:
        if gamma < 0 or k < 1:
            raise BenchError(f"mgptp: gamma = {gamma}, k = {k}; expected 0 or more, 1 or more")
        self.gamma = gamma
        self.k = k

    @torch.no_grad()  # selection has no gradient
    def select(self, view: View, r: int) -> Tensor:
        """See Pruner."""
        scores = density_peaks(view.features, self.k)  # (B, n)
        if self.gamma:
            received = view.received()  # (B, n), of mean 1 / n
            scores = scores * (received * received.shape[1]) ** self.gamma
        return top(scores, r, view.keep)

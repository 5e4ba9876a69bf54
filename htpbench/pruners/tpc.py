"""Token pruning cluster (HoT, section 3.2; H2OT, section 3.1.1)."""

from __future__ import annotations

from torch import Tensor

from htpbench.errors import BenchError
from htpbench.network.contracts import Pruner, Shapes, View
from htpbench.network.positions import density_peaks, published_pooling, top


class TPC(Pruner):
    """Keeps the r centres that density-peaks clustering finds among the pooled tokens.

    Deterministic; `noise` (B, n) stands in for the official code's random tie-breaking.
    """

    def __init__(self, k: int = 2) -> None:
        if k < 1:
            raise BenchError(f"tpc: k = {k} neighbours; expected at least 1")
        self.k = k
        self.noise: Tensor | None = None

    def select(self, view: View, r: int) -> Tensor:
        """See Pruner; the centre of seq2frame is forced, as in the official code."""
        return top(density_peaks(view.features, self.k, self.noise), r, view.keep)

    def published_macs(self, shapes: Shapes) -> int:
        """The pooling alone: cdist and top-k counted for nothing in the papers."""
        return published_pooling(shapes)

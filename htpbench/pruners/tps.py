"""Token pruning sampler (H2OT, section 3.1.4)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from htpbench.network.contracts import Pruner, View
from htpbench.network.positions import even_positions, with_kept


class TPS(Pruner):
    """Keeps r evenly spaced frames of those that are present."""

    static: ClassVar[bool] = True

    def select(self, view: View, r: int) -> Tensor:
        """See Pruner; at the centre of seq2frame the nearest position moves."""
        batch, n = view.kept.shape
        positions = even_positions(n, r, view.kept.device).expand(batch, r)
        return with_kept(positions, view.keep)

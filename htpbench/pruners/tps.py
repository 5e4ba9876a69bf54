"""Token pruning sampler (H2OT, section 3.1.4)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from htpbench.protocols import Pruner, View
from htpbench.selection import even_positions, with_kept


class TPS(Pruner):
    """Keeps r evenly spaced frames of those that are present and alive."""

    static: ClassVar[bool] = True

    def select(self, view: View, r: int) -> Tensor:
        """See Pruner; at the centre of seq2frame the nearest position moves."""
        batch, n = view.kept.shape
        if view.alive is None:
            positions = even_positions(n, r, view.kept.device).expand(batch, r)
        else:
            alive = view.alive.argsort(dim=1, descending=True, stable=True)  # (B, n), alive first
            ranks = even_positions(view.alive.sum(dim=1, keepdim=True), r, view.kept.device)
            positions = alive.gather(1, ranks)  # (B, r)
        return with_kept(positions, view.keep)

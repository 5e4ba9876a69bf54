"""Token recovering cross-attention from early tokens; the form is ours (docs/htp.md)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from htpbench.errors import BenchError
from htpbench.network.contracts import Recoverer
from htpbench.network.layers import CrossAttention


class TRC(Recoverer):
    """As TRA, but the query of a frame is its own token from before the first pruning.

    Nothing is learned a frame or a rank, so that the same weights serve any schedule.
    """

    where: ClassVar[str] = "tokens"
    needs: ClassVar[frozenset[str]] = frozenset({"early"})

    def __init__(
        self, frames: int, ranks: list[int] | None, stacked: int, width: int, heads: int = 8
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise BenchError(f"trc: heads = {heads}; expected a divisor of the width {width}")
        self.attention = CrossAttention(width, heads)

    def forward(  # type: ignore[override]
        self, x: Tensor, kept: Tensor, frames: Tensor, *, early: Tensor
    ) -> Tensor:
        """(B, r, S, C), early (B, f, S, C) -> (B, f, S, C)."""
        tokens, queries = (part.transpose(1, 2).flatten(0, 1) for part in (x, early))
        recovered = queries + self.attention(queries, tokens, tokens)  # (B S, f, C)
        batch, _, stacked, _ = early.shape
        return recovered.unflatten(0, (batch, stacked)).transpose(1, 2)

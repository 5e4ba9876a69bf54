"""Token recovering attention (HoT, section 3.3; H2OT, section 3.2.1)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from htpbench.errors import BenchError
from htpbench.protocols import Recoverer, Shapes
from htpbench.selection import published_pooling


class CrossAttention(nn.Module):
    """Multi-head attention with four separate projections."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise BenchError(f"tra: heads = {heads}; expected a divisor of the width {width}")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.projection = nn.Linear(width, width)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """(N, f, C), (N, r, C) -> (N, f, C)."""
        pairs = ((self.query, queries), (self.key, tokens), (self.value, tokens))
        q, k, v = (linear(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for linear, x in pairs)
        mixed = functional.scaled_dot_product_attention(q, k, v)  # (N, heads, f, C / heads)
        return self.projection(mixed.transpose(1, 2).flatten(2))


class TRA(Recoverer):
    """Learned queries, one a frame, attend to the kept tokens; the head then sees F frames.

    After each pruning a learned position code is added by rank. Weights that serve any schedule
    (ranks = None) have one code a frame number instead, since ranks mean nothing across schedules.
    """

    where: ClassVar[str] = "tokens"

    def __init__(
        self, frames: int, ranks: list[int] | None, stacked: int, width: int, heads: int = 8
    ) -> None:
        super().__init__()
        self.by_rank = ranks is not None
        tables = [frames] if ranks is None else ranks
        self.queries = nn.Parameter(torch.randn(1, frames, width) * 0.02)
        self.codes = nn.ParameterList(torch.randn(1, n, width) * 0.02 for n in tables)
        self.attention = CrossAttention(width, heads)

    def mark(self, tokens: Tensor, kept: Tensor, stage: int) -> Tensor:
        """See Recoverer; weights for any schedule mark once, at the first pruning."""
        if self.by_rank:
            return tokens + self.codes[stage][:, :, None]
        return tokens if stage else tokens + self.codes[0][0][kept][:, :, None]

    def forward(self, x: Tensor, kept: Tensor, frames: Tensor) -> Tensor:
        """(B, r, S, C) -> (B, f, S, C)."""
        batch, _, stacked, _ = x.shape
        tokens = x.transpose(1, 2).flatten(0, 1)  # (B S, r, C)
        queries = self.queries[:, frames].expand(len(tokens), -1, -1)  # (B S, f, C)
        recovered = queries + self.attention(queries, tokens)
        return recovered.unflatten(0, (batch, stacked)).transpose(1, 2)  # (B, f, S, C)

    def published_macs(self, shapes: Shapes) -> int:
        """Four projections, and HoT's pooling: the papers ran every TRA row in HoT's module."""
        rows = shapes.stacked * (shapes.recovered + shapes.kept[-1])
        pooling = 0 if shapes.pruner_counts_itself else published_pooling(shapes)
        return 2 * rows * shapes.width**2 + pooling

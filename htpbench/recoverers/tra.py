"""Token recovering attention (HoT, section 3.3; H2OT, section 3.2.1)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from htpbench.errors import BenchError
from htpbench.network.contracts import Recoverer, Shapes
from htpbench.network.layers import CrossAttention
from htpbench.network.positions import published_pooling


class TRA(Recoverer):
    """Learned queries, one a frame, attend to the kept tokens; the head then sees F frames.

    After each pruning a learned position code is added by rank. Weights that serve any schedule
    (ranks = None) have one code a frame number instead, since ranks mean nothing across schedules.
    """

    where: ClassVar[str] = "tokens"

    def __init__(
        self,
        frames: int,
        ranks: list[int] | None,
        stacked: int,
        width: int,
        heads: int = 8,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise BenchError(f"tra: heads = {heads}; expected a divisor of the width {width}")
        self.by_rank = ranks is not None
        tables = [frames] if ranks is None else ranks
        self.queries = nn.Parameter(torch.randn(1, frames, width) * 0.02)
        self.codes = nn.ParameterList(torch.randn(1, n, width) * 0.02 for n in tables)
        self.attention = CrossAttention(width, heads, bias)

    def mark(self, tokens: Tensor, kept: Tensor, stage: int) -> Tensor:
        """See Recoverer; weights for any schedule mark once, at the first pruning."""
        if self.by_rank:
            return tokens + self.codes[stage][:, :, None]
        return tokens if stage else tokens + self.codes[0][0][kept][:, :, None]

    def forward(self, x: Tensor, kept: Tensor, frames: Tensor) -> Tensor:
        """(B, r, S, C) -> (B, f, S, C)."""
        batch, _, stacked, _ = x.shape
        tokens = x.transpose(1, 2).flatten(0, 1)  # (B S, r, C)
        queries = self.queries[:, frames].expand(tokens.shape[0], -1, -1)  # (B S, f, C)
        recovered = queries + self.attention(queries, tokens, tokens)
        return recovered.unflatten(0, (batch, stacked)).transpose(1, 2)  # (B, f, S, C)

    def published_macs(self, shapes: Shapes) -> int:
        """Four projections, and HoT's pooling: the papers ran every TRA row in HoT's module."""
        rows = shapes.stacked * (shapes.recovered + shapes.kept[-1])
        pooling = 0 if shapes.pruner_counts_itself else published_pooling(shapes)
        return 2 * rows * shapes.width**2 + pooling

"""The few things that backbones share: attention, the pre-norm transformer layer, drop path."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head self-attention with one fused projection laid out as [q | k | v]."""

    def __init__(self, width: int, heads: int, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width, bias=bias)
        self.projection = nn.Linear(width, width)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, L, C) -> queries, keys, values, each (N, heads, L, C / heads)."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, x: Tensor, keys: Tensor | None = None) -> Tensor:
        """(N, L, C) -> (N, L, C); keys (N, L) bool: positions that may be attended to."""
        mask = None if keys is None else keys[:, None, None, :]  # (N, 1, 1, L)
        mixed = functional.scaled_dot_product_attention(*self.split(x), attn_mask=mask)
        return self.projection(mixed.transpose(1, 2).flatten(2))  # (N, L, C)

    def received(self, x: Tensor, keys: Tensor | None = None) -> Tensor:
        """(N, L): attention that each position receives, mean over heads and queries."""
        q, k, _ = self.split(x)
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5  # (N, heads, L, L)
        if keys is not None:
            scores = scores.masked_fill(~keys[:, None, None, :], float("-inf"))
        weights = scores.softmax(dim=-1).mean(dim=1)  # (N, L, L)
        if keys is None:
            return weights.mean(dim=1)
        queries = keys.to(weights.dtype)  # masked frames do not vote either
        return (weights * queries[:, :, None]).sum(dim=1) / queries.sum(dim=1, keepdim=True)


class DropPath(nn.Module):
    """Stochastic depth: drops a residual branch for whole samples while training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, ...), scaled so that the expectation stays."""
        if not self.training or self.rate == 0:
            return x
        shape = (len(x),) + (1,) * (x.ndim - 1)
        return (
            x * torch.bernoulli(torch.full(shape, 1 - self.rate, device=x.device)) / (1 - self.rate)
        )


class Layer(nn.Module):
    """Pre-norm transformer layer: x + attention(norm1(x)), then x + mlp(norm2(x))."""

    def __init__(self, width: int, heads: int, mlp_ratio: float, drop_path: float = 0.0) -> None:
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, keys: Tensor | None = None) -> Tensor:
        """(N, L, C) -> (N, L, C)."""
        x = x + self.drop_path(self.attention(self.norm1(x), keys))
        return x + self.drop_path(self.mlp(self.norm2(x)))

"""The few things that backbones share: attention, the pre-norm layer, drop path, two streams."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from htpbench.network.contracts import Block
from htpbench.network.positions import exactly


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

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(N, L, C) -> (N, L, C); allowed (N, 1 or L, L) bool: what may be attended to."""
        mask = None if allowed is None else allowed[:, None]  # (N, 1, 1 or L, L)
        mixed = functional.scaled_dot_product_attention(*self.split(x), attn_mask=mask)
        return self.projection(mixed.transpose(1, 2).flatten(2))  # (N, L, C)

    def received(self, x: Tensor) -> Tensor:
        """(N, L, C) -> (N, L): attention each position receives, mean over heads and queries."""
        q, k, _ = self.split(x)
        return received_attention(q, k)


def received_attention(queries: Tensor, keys: Tensor) -> Tensor:
    """Twice (N, heads, L, C / heads) -> (N, L): what each key receives, summing to 1.

    Mean over heads and queries, in float32 or better.
    """
    precise = torch.promote_types(queries.dtype, torch.float32)
    with exactly(queries.device):
        queries = queries.to(precise) * queries.shape[-1] ** -0.5
        products = queries @ keys.to(precise).transpose(-2, -1)  # (N, heads, L, L)
        return products.softmax(dim=-1).mean(dim=2).mean(dim=1)  # twice as fast as both at once


class CrossAttention(nn.Module):
    """Multi-head attention with four separate projections; `bias` is that of the first three.

    dropout: the share of attention weights that it drops while training.
    """

    def __init__(self, width: int, heads: int, bias: bool = True, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.query = nn.Linear(width, width, bias=bias)
        self.key = nn.Linear(width, width, bias=bias)
        self.value = nn.Linear(width, width, bias=bias)
        self.projection = nn.Linear(width, width)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None
    ) -> Tensor:
        """(N, f, C), twice (N, r, C) -> (N, f, C); allowed (N, 1 or f, r) bool: which keys."""
        pairs = ((self.query, queries), (self.key, keys), (self.value, values))
        q, k, v = (self.split(linear(x)) for linear, x in pairs)
        mask = None if allowed is None else allowed[:, None]  # (N, 1, 1 or f, r)
        dropped = self.dropout if self.training else 0.0
        mixed = functional.scaled_dot_product_attention(q, k, v, mask, dropped)
        return self.projection(mixed.transpose(1, 2).flatten(2))  # (N, f, C)

    def split(self, x: Tensor) -> Tensor:
        """(N, f, C) -> (N, heads, f, C / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class SelfAttention(CrossAttention):
    """Multi-head self-attention with four separate projections."""

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:  # type: ignore[override]
        """(N, L, C) -> (N, L, C); allowed (N, 1 or L, L) bool: what may be attended to."""
        return super().forward(x, x, x, allowed)

    def received(self, x: Tensor) -> Tensor:
        """(N, L, C) -> (N, L): see `received_attention`."""
        return received_attention(self.split(self.query(x)), self.split(self.key(x)))


class DropPath(nn.Module):
    """Stochastic depth: drops a residual branch for whole samples while training.

    dropout: the share of single values that it drops as well.
    """

    def __init__(self, rate: float, dropout: float = 0.0) -> None:
        super().__init__()
        self.rate = rate
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """(N, ...) -> (N, ...), scaled so that the expectation stays."""
        if not self.training:
            return x
        x = functional.dropout(x, self.dropout)
        if self.rate == 0:
            return x
        shape = (len(x),) + (1,) * (x.ndim - 1)
        return (
            x * torch.bernoulli(torch.full(shape, 1 - self.rate, device=x.device)) / (1 - self.rate)
        )


def rising(rate: float, depth: int) -> list[float]:
    """Rates of drop path from 0 to `rate` over the depth."""
    return [rate * index / max(depth - 1, 1) for index in range(depth)]


def mlp(width: int, hidden: int, dropout: float = 0.0) -> nn.Sequential:
    """Linear, GELU, Linear over the last axis, with dropout behind the GELU if there is any."""
    active = nn.Sequential(nn.GELU(), nn.Dropout(dropout)) if dropout else nn.GELU()
    return nn.Sequential(nn.Linear(width, hidden), active, nn.Linear(hidden, width))


class Layer(nn.Module):
    """Pre-norm transformer layer: x + attention(norm1(x)), then x + mlp(norm2(x))."""

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float,
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = mlp(width, int(width * mlp_ratio), dropout)
        self.drop_path = DropPath(drop_path, dropout)

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(N, L, C) -> (N, L, C)."""
        x = x + self.drop_path(self.attention(self.norm1(x), allowed))
        return x + self.drop_path(self.mlp(self.norm2(x)))

    def received(self, x: Tensor) -> Tensor:
        """(N, L, C) -> (N, L): attention that each position receives; see Attention."""
        return self.attention.received(self.norm1(x))


def sinusoid(time: Tensor, width: int) -> Tensor:
    """(N,) -> (N, C): sines, then cosines, of a step number; frequencies from 1 to 1 / 10000."""
    half = width // 2
    scale = torch.arange(half, device=time.device) * (-math.log(10000.0) / (half - 1))
    angle = time[:, None] * scale.exp()  # (N, C / 2)
    return torch.cat((angle.sin(), angle.cos()), dim=-1)


def fold(tokens: Tensor) -> Tensor:
    """(B, f, J, C) -> (B J, f, C)."""
    return tokens.transpose(1, 2).flatten(0, 1)


def repeat(allowed: Tensor | None, joints: int) -> Tensor | None:
    """(B, 1 or f, f) -> (B J, 1 or f, f): every joint looks at the same frames."""
    return None if allowed is None else allowed.repeat_interleave(joints, dim=0)


class Stream(nn.Module):
    """A layer over the joints of each frame, then one over the frames of each joint.

    frames_first: the other order. Layers map (N, L, C), and allowed (N, 1 or L, L) or None, to
    (N, L, C).
    """

    def __init__(self, spatial: nn.Module, temporal: nn.Module, frames_first: bool = False):
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal
        self.frames_first = frames_first

    def over_joints(self, tokens: Tensor) -> Tensor:
        """(B, f, J, C) -> (B, f, J, C)."""
        return self.spatial(tokens.flatten(0, 1)).unflatten(0, tokens.shape[:2])

    def over_frames(self, tokens: Tensor, allowed: Tensor | None) -> Tensor:
        """(B, f, J, C) -> (B, f, J, C)."""
        batch, _, joints, _ = tokens.shape
        x = self.temporal(fold(tokens), repeat(allowed, joints))  # (B J, f, C)
        return x.unflatten(0, (batch, joints)).transpose(1, 2)  # (B, f, J, C)

    def forward(self, tokens: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(B, f, J, C) -> (B, f, J, C)."""
        if self.frames_first:
            return self.over_joints(self.over_frames(tokens, allowed))
        return self.over_frames(self.over_joints(tokens), allowed)

    def received(self, tokens: Tensor) -> Tensor:
        """(B, f): attention that each frame receives, mean over joints."""
        batch, _, joints, _ = tokens.shape
        x = fold(tokens if self.frames_first else self.over_joints(tokens))  # (B J, f, C)
        received = self.temporal.received(x)  # type: ignore[operator]
        return received.unflatten(0, (batch, joints)).mean(dim=1)


class Fusion(nn.Module):
    """Two streams weighted token by token, equally at first."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * width, 2)
        nn.init.zeros_(self.linear.weight)
        nn.init.constant_(self.linear.bias, 0.5)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Twice (..., C) -> (..., C)."""
        weights = self.linear(torch.cat((first, second), dim=-1)).softmax(dim=-1)  # (..., 2)
        return first * weights[..., :1] + second * weights[..., 1:]


class TwoStreams(Block):
    """Two streams from the same tokens, fused.

    closing: norms after the last block. They are registered on the backbone, hence the tuple.
    """

    def __init__(self, streams: tuple[Stream, Stream], width: int, closing: tuple[nn.Module, ...]):
        super().__init__()
        self.streams = nn.ModuleList(streams)
        self.fusion = Fusion(width)
        self.closing = closing

    def forward(self, tokens: Tensor, allowed: Tensor | None = None) -> Tensor:
        """See Block."""
        first, second = self.streams
        tokens = self.fusion(first(tokens, allowed), second(tokens, allowed))
        for norm in self.closing:
            tokens = norm(tokens)
        return tokens

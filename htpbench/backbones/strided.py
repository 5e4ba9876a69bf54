"""StridedTransformer: a plain encoder, then one whose strides end at one pose (Li et al., 2022)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from htpbench.errors import BenchError
from htpbench.network.contracts import Block, OnePose
from htpbench.network.layers import SelfAttention

OFFICIAL_STRIDES = {9: (1, 3, 3), 351: (3, 9, 13)}  # by F; else threes alone
CODED = 3  # the strided layers that have a position code, however many there are


def official_strides(frames: int) -> tuple[int, ...]:
    """The strides of the official code for F frames: at least three, and they end at 1."""
    threes = CODED
    while 3**threes < frames:
        threes += 1
    return OFFICIAL_STRIDES.get(frames, (3,) * threes)


class Norm(nn.Module):
    """Layer norm by the unbiased deviation of the width, to which eps is added as it is."""

    def __init__(self, width: int, eps: float = 1e-6) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        deviation = x.std(dim=-1, keepdim=True)  # (..., 1)
        return self.weight * (x - x.mean(dim=-1, keepdim=True)) / (deviation + self.eps) + self.bias


class Plain(Block):
    """Pre-norm layer over frames: attention, then a feed-forward with ReLU."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = Norm(width)
        self.attention = SelfAttention(width, heads, dropout=dropout)
        self.norm2 = Norm(width)
        self.feed = nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, width)
        )

    def forward(self, tokens: Tensor, allowed: Tensor | None = None) -> Tensor:
        """See Block; S = 1."""
        x = tokens.squeeze(2)  # (B, f, C)
        x = x + self.attention(self.norm1(x), allowed)
        x = x + self.feed(self.norm2(x))
        return x[:, :, None]  # (B, f, 1, C)

    def received(self, tokens: Tensor) -> Tensor:
        """See Block."""
        return self.attention.received(self.norm1(tokens.squeeze(2)))


class Reduction(nn.Module):
    """Strided layer: attention, then a feed-forward whose convolution takes every s-th place."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.norm1 = Norm(width)
        self.attention = SelfAttention(width, heads, dropout=dropout)
        self.norm2 = Norm(width)
        self.feed = nn.Sequential(
            nn.Conv1d(width, hidden, kernel_size=1),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv1d(hidden, width, kernel_size=3, stride=stride, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, f, C) -> (B, ceil(f / s), C); the residual is of tokens 0, s, 2 s, ..."""
        x = x + self.attention(self.norm1(x))
        fed = self.feed(self.norm2(x).transpose(1, 2))  # (B, C, ceil(f / s))
        return x[:, :: self.stride] + fed.transpose(1, 2)


class Strided(OnePose):
    """Plain layers over all frames, before which frames can be pruned, then the strided ones.

    strides: of the strided layers; none: those of the official code for F. Any r <= F frames come
    to one. Of kept frames, the first strided layer takes the codes of their numbers, later ones
    those of their ranks, as they do unpruned.
    Poses come out in metres, relative to the root.
    """

    stacked = 1

    def __init__(
        self,
        frames: int,
        lengths: list[int],
        blocks: int,
        width: int,
        heads: int,
        hidden: int,
        dropout: float,
        embedding_dropout: float,
        strides: Sequence[int],
    ) -> None:
        super().__init__()
        self.width = width
        self.entrance = self.entered(self.joints * self.channels, width, embedding_dropout)
        self.frame_code = nn.Parameter(torch.randn(1, frames, width))
        self.blocks = nn.ModuleList(Plain(width, heads, hidden, dropout) for _ in range(blocks))
        self.codes = nn.ParameterList(torch.randn(1, frames, width) for _ in range(CODED))
        self.reductions = nn.ModuleList(
            Reduction(width, heads, hidden, dropout, stride)
            for stride in strides or official_strides(frames)
        )
        self.regression = regression(width, self.joints)
        self.auxiliary_regression = regression(width, self.joints)

    def entered(self, coordinates: int, width: int, dropout: float) -> nn.Module:
        """The module (B, 2 J, F) -> (B, C, F) that makes tokens, each of its frame alone."""
        return nn.Sequential(
            nn.Conv1d(coordinates, width, kernel_size=1),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) in screen units -> (B, F, 1, C)."""
        (poses2d,) = inputs
        x = self.entrance(poses2d.flatten(2).transpose(1, 2))  # (B, C, F)
        return (x.transpose(1, 2) + self.frame_code)[:, :, None]  # (B, F, 1, C)

    def head(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """See OnePose; BenchError where the norm of the last pose has one number while training."""
        if self.training and len(tokens) == 1:
            raise BenchError("one pose has no batch norm: train with a --batch of 2 clips or more")
        x = tokens.squeeze(2) + self.codes[0][0][kept]  # (B, f, C)
        for index, reduction in enumerate(self.reductions):
            if 0 < index < CODED:
                x = x + self.codes[index][:, : x.shape[1]]
            x = reduction(x)
        return spoken(self.regression, x)  # (B, 1, J, 3)

    def auxiliary(self, tokens: Tensor) -> Tensor:
        """See Backbone."""
        return spoken(self.auxiliary_regression, tokens.squeeze(2))


def regression(width: int, joints: int) -> nn.Module:
    """(B, C, f) -> (B, 3 J, f)."""
    return nn.Sequential(nn.BatchNorm1d(width), nn.Conv1d(width, 3 * joints, kernel_size=1))


def spoken(head: nn.Module, x: Tensor) -> Tensor:
    """(B, f, C) -> (B, f, J, 3), metres."""
    return head(x.transpose(1, 2)).transpose(1, 2).unflatten(-1, (-1, 3))

"""MHFormer: three hypotheses refine themselves, then talk to each other (Li et al., CVPR 2022)."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn
from torch.nn import functional

from htpbench.network.contracts import Backbone, Block
from htpbench.network.layers import Attention, CrossAttention, DropPath, Layer, mlp, rising

HYPOTHESES = 3


class Encoder(nn.Module):
    """MHG: one hypothesis more. A transformer over coordinates, whose features are the frames."""

    def __init__(
        self, tokens: int, frames: int, depth: int, heads: int, drop_path: float, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.entrance = nn.LayerNorm(frames)
        self.code = nn.Parameter(torch.randn(1, tokens, frames) * 0.02)
        self.layers = nn.Sequential(
            *(Layer(frames, heads, 2.0, rate, dropout) for rate in rising(drop_path, depth))
        )
        self.norm = nn.LayerNorm(frames, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 J, F) -> (B, 2 J, F)."""
        coded = functional.dropout(self.entrance(x) + self.code, self.dropout, self.training)
        return x + self.norm(self.layers(coded))


def embedding(coordinates: int, frames: int, width: int, dropout: float) -> nn.Module:
    """(B, 2 J, F) -> (B, C, F); short clips are normalised, as in the official code."""
    convolution = nn.Conv1d(coordinates, width, kernel_size=1)
    if frames > 27:
        return convolution
    return nn.Sequential(convolution, nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout))


class Hypotheses(Block):
    """What SHR and CHI share: after attention, one MLP over the hypotheses side by side."""

    def __init__(self, width: int, hidden: int, drop_path: float, dropout: float) -> None:
        super().__init__()
        self.norm2 = nn.LayerNorm(HYPOTHESES * width, eps=1e-6)
        self.mlp = mlp(HYPOTHESES * width, hidden, dropout)
        self.drop_path = DropPath(drop_path, dropout)

    @abstractmethod
    def attend(self, tokens: Tensor, allowed: Tensor | None) -> list[Tensor]:
        """(B, f, S, C) -> S times (B, f, C)."""

    def forward(self, tokens: Tensor, allowed: Tensor | None = None) -> Tensor:
        """See Block."""
        x = torch.cat(self.attend(tokens, allowed), dim=-1)  # (B, f, S C)
        x = x + self.drop_path(self.mlp(self.norm2(x)))
        return x.unflatten(-1, (HYPOTHESES, -1))  # (B, f, S, C)


class Refinement(Hypotheses):
    """SHR: each hypothesis attends to itself."""

    def __init__(
        self, width: int, heads: int, hidden: int, drop_path: float, dropout: float
    ) -> None:
        super().__init__(width, hidden, drop_path, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for _ in range(HYPOTHESES))
        self.attentions = nn.ModuleList(Attention(width, heads) for _ in range(HYPOTHESES))

    def attend(self, tokens: Tensor, allowed: Tensor | None) -> list[Tensor]:
        """See Hypotheses."""
        parts = zip(tokens.unbind(dim=2), self.norms, self.attentions, strict=True)
        return [x + self.drop_path(attention(norm(x), allowed)) for x, norm, attention in parts]

    def received(self, tokens: Tensor) -> Tensor:
        """See Block; mean over hypotheses."""
        parts = zip(tokens.unbind(dim=2), self.norms, self.attentions, strict=True)
        found = [attention.received(norm(x)) for x, norm, attention in parts]  # type: ignore
        return torch.stack(found).mean(dim=0)  # (B, f)


class Talk(CrossAttention):
    """Cross-attention with a norm before each of its three inputs."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.query_norm = nn.LayerNorm(width, eps=1e-6)
        self.key_norm = nn.LayerNorm(width, eps=1e-6)
        self.value_norm = nn.LayerNorm(width, eps=1e-6)

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, allowed: Tensor | None = None
    ) -> Tensor:
        """See CrossAttention."""
        normed = self.query_norm(queries), self.key_norm(keys), self.value_norm(values)
        return super().forward(*normed, allowed)


class Interaction(Hypotheses):
    """CHI: each hypothesis, in turn, is changed by how the other two match.

    Queries and keys come from different hypotheses: there is no self-attention to read.
    """

    def __init__(
        self, width: int, heads: int, hidden: int, drop_path: float, dropout: float
    ) -> None:
        super().__init__(width, hidden, drop_path, dropout)
        self.attentions = nn.ModuleList(Talk(width, heads) for _ in range(HYPOTHESES))

    def attend(self, tokens: Tensor, allowed: Tensor | None) -> list[Tensor]:
        """See Hypotheses; later ones see the earlier ones as already changed."""
        x = list(tokens.unbind(dim=2))
        for own, attention in enumerate(self.attentions):
            first, second = (other for other in range(HYPOTHESES) if other != own)
            x[own] = x[own] + self.drop_path(attention(x[first], x[second], x[own], allowed))
        return x


class MHFormer(Backbone):
    """MHG and embedding, SHR blocks and one CHI; S is the axis of the hypotheses.

    Poses come out in metres, relative to the root.
    """

    stacked = HYPOTHESES

    def __init__(
        self,
        frames: int,
        lengths: list[int],
        blocks: int,
        width: int,
        heads: int,
        hidden: int,
        encoder_depth: int,
        encoder_heads: int,
        drop_path: float,
        dropout: float,
        embedding_dropout: float,
    ) -> None:
        super().__init__()
        self.width = width
        self.dropout = dropout
        coordinates = self.joints * self.channels
        self.encoders = nn.ModuleList(
            Encoder(coordinates, frames, encoder_depth, encoder_heads, drop_path, dropout)
            for _ in range(HYPOTHESES)
        )
        self.embeddings = nn.ModuleList(
            embedding(coordinates, frames, width, embedding_dropout) for _ in range(HYPOTHESES)
        )
        self.codes = nn.ParameterList(
            torch.randn(1, frames, width) * 0.02 for _ in range(HYPOTHESES)
        )
        *rates, last = rising(drop_path, blocks)
        self.blocks = nn.ModuleList(
            Refinement(width, heads, hidden, rate, dropout) for rate in rates
        )
        self.blocks.append(Interaction(width, heads, hidden, last, dropout))
        self.norm = nn.LayerNorm(HYPOTHESES * width, eps=1e-6)
        self.regression = nn.Sequential(
            nn.BatchNorm1d(HYPOTHESES * width),
            nn.Conv1d(HYPOTHESES * width, 3 * self.joints, kernel_size=1),
        )

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) in screen units -> (B, F, 3, C)."""
        (poses2d,) = inputs
        x = poses2d.flatten(2).transpose(1, 2)  # (B, 2 J, F)
        hypotheses = []
        for encoder, embed, code in zip(self.encoders, self.embeddings, self.codes, strict=True):
            x = encoder(x)  # each hypothesis grows from the one before
            hypotheses.append(embed(x).transpose(1, 2) + code)  # (B, F, C)
        tokens = torch.stack(hypotheses, dim=2)  # (B, F, 3, C)
        return functional.dropout(tokens, self.dropout, self.training)

    def summary(self, tokens: Tensor) -> Tensor:
        """(B, f, 3, C) -> (B, f, 3 C): the hypotheses side by side."""
        return tokens.flatten(2)

    def head(self, tokens: Tensor) -> Tensor:
        """(B, f, 3, C) -> (B, f, J, 3), metres."""
        x = self.norm(tokens.flatten(2)).transpose(1, 2)  # (B, 3 C, f)
        return self.regression(x).transpose(1, 2).unflatten(-1, (-1, 3))

"""MixSTE: alternating spatial and temporal attention (Zhang et al., CVPR 2022)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from htpbench.network.contracts import Backbone, Block
from htpbench.network.layers import Layer, fold, repeat, rising


def over_joints(layer: nn.Module, norm: nn.Module, tokens: Tensor) -> Tensor:
    """Run a layer and its shared norm over the joints of each frame: (B, f, J, C) -> the same."""
    return norm(layer(tokens.flatten(0, 1))).unflatten(0, tokens.shape[:2])


class Pair(Block):
    """A spatial layer (none in pair 0, whose spatial layer is part of embed), then a temporal one.

    The two norms are shared by all pairs and registered on the backbone, hence the tuple.
    """

    def __init__(self, spatial: Layer | None, temporal: Layer, norms: tuple[nn.Module, ...]):
        super().__init__()
        self.spatial = spatial
        self.temporal = temporal
        self.norms = norms

    def enter(self, tokens: Tensor) -> Tensor:
        """The spatial half: (B, f, J, C) -> (B, f, J, C)."""
        return tokens if self.spatial is None else over_joints(self.spatial, self.norms[0], tokens)

    def forward(self, tokens: Tensor, allowed: Tensor | None = None) -> Tensor:
        """See Block."""
        batch, _, joints, _ = tokens.shape
        x = fold(self.enter(tokens))  # (B J, f, C)
        x = self.norms[1](self.temporal(x, repeat(allowed, joints)))
        return x.unflatten(0, (batch, joints)).transpose(1, 2)  # (B, f, J, C)

    def received(self, tokens: Tensor) -> Tensor:
        """See Block; mean over joints."""
        batch, _, joints, _ = tokens.shape
        x = fold(self.enter(tokens))  # (B J, f, C)
        received = self.temporal.received(x)  # (B J, f)
        return received.unflatten(0, (batch, joints)).mean(dim=1)  # (B, f)


class MixSTE(Backbone):
    """MixSTE2 of the official code; b = 0 prunes between the two halves of pair 0.

    That placement is the only one with the published cost of b = 0 (H2OT, Table 4).
    Poses come out in metres, relative to the root.
    """

    def __init__(
        self,
        frames: int,
        lengths: list[int],
        blocks: int,
        width: int,
        heads: int,
        mlp_ratio: float,
        drop_path: float,
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Linear(self.channels, width)
        self.joint_code = nn.Parameter(torch.zeros(1, self.joints, width))
        self.frame_code = nn.Parameter(torch.zeros(1, frames, width))
        rates = rising(drop_path, blocks)
        self.spatial = Layer(width, heads, mlp_ratio, rates[0])
        self.spatial_norm = nn.LayerNorm(width, eps=1e-6)
        self.temporal_norm = nn.LayerNorm(width, eps=1e-6)
        norms = (self.spatial_norm, self.temporal_norm)
        self.blocks = nn.ModuleList(
            Pair(
                Layer(width, heads, mlp_ratio, rate) if index else None,
                Layer(width, heads, mlp_ratio, rate),
                norms,
            )
            for index, rate in enumerate(rates)
        )
        self.regression = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 3))
        for code in (self.joint_code, self.frame_code):
            nn.init.normal_(code, std=0.02)  # zeros leave training on a long plateau

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) in screen units -> (B, F, J, C)."""
        (poses2d,) = inputs
        return self.enter(self.embedding(poses2d) + self.joint_code)

    def enter(self, tokens: Tensor) -> Tensor:
        """(B, F, J, C) -> the same: the spatial half of pair 0, then the frames' code."""
        tokens = over_joints(self.spatial, self.spatial_norm, tokens)
        return tokens + self.frame_code[:, :, None]

    def head(self, tokens: Tensor) -> Tensor:
        """See Backbone."""
        return self.regression(tokens)

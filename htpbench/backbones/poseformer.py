"""PoseFormer: joints of each frame, then frames; one pose a clip (Zheng et al., ICCV 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from htpbench.network.contracts import Block, OnePose
from htpbench.network.layers import Layer, rising


class Frames(Block):
    """A layer over the frames, which are one token each (S = 1).

    closing: norms after the last block. They are registered on the backbone, hence the tuple.
    """

    def __init__(self, layer: Layer, closing: tuple[nn.Module, ...]) -> None:
        super().__init__()
        self.layer = layer
        self.closing = closing

    def forward(self, tokens: Tensor, allowed: Tensor | None = None) -> Tensor:
        """See Block."""
        x = self.layer(tokens[:, :, 0], allowed)  # (B, f, C)
        for norm in self.closing:
            x = norm(x)
        return x[:, :, None]  # (B, f, 1, C)

    def received(self, tokens: Tensor) -> Tensor:
        """See Block."""
        return self.layer.received(tokens[:, :, 0])


class WeightedMean(nn.Conv1d):
    """A learned weight for each frame number, and one bias; frames are the channels.

    A convolution by name, so that counters see what they saw in the official code.
    """

    def __init__(self, frames: int) -> None:
        super().__init__(frames, 1, kernel_size=1)

    def forward(self, x: Tensor, kept: Tensor) -> Tensor:  # type: ignore[override]
        """(B, f, C) of the frames kept (B, f) -> (B, 1, C)."""
        weights = self.weight[0, :, 0][kept]  # (B, f)
        return weights[:, None] @ x + self.bias  # type: ignore[operator]


class PoseFormer(OnePose):
    """A transformer over the joints of each frame, then one over frames, whose layers b counts.

    width: that of a joint; a frame's token is its joints side by side. Pruned without a recoverer,
    the mean over frames takes the weights of those that are left: the norm behind it removes what
    is common to all weights. Poses come out in metres, relative to the root.
    """

    stacked = 1

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
        self.width = self.joints * width
        self.embedding = nn.Linear(self.channels, width)
        self.joint_code = nn.Parameter(torch.zeros(1, self.joints, width))
        self.frame_code = nn.Parameter(torch.zeros(1, frames, self.width))
        rates = rising(drop_path, blocks)
        self.spatial = nn.Sequential(*(Layer(width, heads, mlp_ratio, rate) for rate in rates))
        self.spatial_norm = nn.LayerNorm(width, eps=1e-6)
        self.temporal_norm = nn.LayerNorm(self.width, eps=1e-6)
        self.blocks = nn.ModuleList(
            Frames(
                Layer(self.width, heads, mlp_ratio, rate),
                (self.temporal_norm,) if index == blocks - 1 else (),
            )
            for index, rate in enumerate(rates)
        )
        self.weighted_mean = WeightedMean(frames)
        self.regression = nn.Sequential(
            nn.LayerNorm(self.width), nn.Linear(self.width, 3 * self.joints)
        )
        for code in (self.joint_code, self.frame_code):
            nn.init.normal_(code, std=0.02)  # as in MixSTE, where zeros leave a long plateau

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) in screen units -> (B, F, 1, C)."""
        (poses2d,) = inputs
        x = (self.embedding(poses2d) + self.joint_code).flatten(0, 1)  # (B F, J, C / J)
        x = self.spatial_norm(self.spatial(x)).unflatten(0, poses2d.shape[:2])
        return (x.flatten(2) + self.frame_code)[:, :, None]  # (B, F, 1, C)

    def head(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """See OnePose."""
        x = self.weighted_mean(tokens[:, :, 0], kept)  # (B, 1, C)
        return self.regression(x).unflatten(-1, (-1, 3))

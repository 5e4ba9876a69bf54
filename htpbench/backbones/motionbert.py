"""MotionBERT's DSTformer: two streams of attention in opposite orders (Zhu et al., ICCV 2023)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from htpbench.network.contracts import Backbone
from htpbench.network.layers import Layer, Stream, TwoStreams


class Opposite(TwoStreams):
    """One stream looks over joints first, the other over frames first."""

    def received(self, tokens: Tensor) -> Tensor:
        """See Block; mean over joints and streams."""
        first, second = (stream.received(tokens) for stream in self.streams)  # type: ignore
        return (first + second) / 2


def initialise(module: nn.Module) -> None:
    """As the official code starts: small normal weights, no biases."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


class MotionBERT(Backbone):
    """DSTformer of the official code, which HoT runs too; b = 0 prunes before the first block.

    Takes x, y and confidence. Poses come out in metres, relative to the root; the official weights
    give 2.5D image coordinates instead.
    """

    channels: ClassVar[int] = 3

    def __init__(
        self,
        frames: int,
        lengths: list[int],
        blocks: int,
        width: int,
        heads: int,
        mlp_ratio: float,
        representation: int,
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Linear(self.channels, width)
        self.joint_code = nn.Parameter(torch.zeros(1, self.joints, width))
        self.frame_code = nn.Parameter(torch.zeros(1, frames, 1, width))
        self.norm = nn.LayerNorm(width, eps=1e-6)

        def stream(frames_first: bool) -> Stream:
            pair = (Layer(width, heads, mlp_ratio) for _ in range(2))
            return Stream(*pair, frames_first=frames_first).apply(initialise)

        self.blocks = nn.ModuleList(
            Opposite((stream(False), stream(True)), width, (self.norm,) if last else ())
            for last in [False] * (blocks - 1) + [True]
        )
        self.regression = nn.Sequential(
            nn.Linear(width, representation), nn.Tanh(), nn.Linear(representation, 3)
        ).apply(initialise)
        initialise(self.embedding)
        for code in (self.joint_code, self.frame_code):
            nn.init.trunc_normal_(code, std=0.02)

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 3): screen units and confidence -> (B, F, J, C); F may be below `frames`."""
        (poses2d,) = inputs
        tokens = self.embedding(poses2d) + self.joint_code  # (B, F, J, C)
        return tokens + self.frame_code[:, : poses2d.shape[1]]

    def head(self, tokens: Tensor) -> Tensor:
        """See Backbone."""
        return self.regression(tokens)

"""D3DP's denoiser: MixSTE that also sees a noisy pose and how noisy it is (Shan et al., 2023)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from htpbench.backbones.mixste import MixSTE
from htpbench.network.layers import sinusoid


class D3DP(MixSTE):
    """Says what the clean pose is; `htpbench.diffusion` draws hypotheses with it."""

    inputs = ("poses2d", "noisy3d", "time")
    dense = True

    def __init__(self, frames: int, lengths: list[int], **settings: Any) -> None:
        super().__init__(frames, lengths, **settings)
        width = self.width
        self.embedding = nn.Linear(self.channels + 3, width)
        self.time = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) screen units, (B, F, J, 3) metres, (B,) steps of noise -> (B, F, J, C)."""
        poses2d, noisy3d, time = inputs
        tokens = self.embedding(torch.cat((poses2d, noisy3d), dim=-1)) + self.joint_code
        when = self.time(sinusoid(time, self.width))  # (B, C)
        return self.enter(tokens + when[:, None, None])

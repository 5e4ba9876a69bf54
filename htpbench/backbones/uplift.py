"""Uplift and upsample: from sparse 2D, one pose a clip (Einfalt, Ludwig, Lienhart, WACV 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from htpbench.backbones.poseformer import Frames
from htpbench.errors import BenchError
from htpbench.network.contracts import OnePose
from htpbench.network.layers import Layer, SelfAttention, rising

TAPS = 3  # of a strided convolution


class SeparateLayer(Layer):
    """A pre-norm layer with three projections, norms with eps 1e-5 and an activation of choice."""

    def __init__(
        self, width: int, heads: int, mlp_ratio: float, active: nn.Module, drop_path: float = 0.0
    ) -> None:
        super().__init__(width, heads, mlp_ratio, drop_path)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.mlp[1] = active


class StridedLayer(SeparateLayer):
    """A layer whose MLP convolves, so that fewer tokens come out; with a code of its own for each.

    padding: zeros before and after the tokens. What is added to is the middle of each window.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        mlp_ratio: float,
        length: int,
        stride: int,
        padding: tuple[int, int],
    ) -> None:
        super().__init__(width, heads, mlp_ratio, nn.ReLU())
        self.stride, self.padding = stride, padding
        self.code = nn.Parameter(nn.init.trunc_normal_(torch.empty(length, width), std=0.02))
        hidden = int(width * mlp_ratio)
        self.mlp = nn.Sequential(
            nn.Conv1d(width, hidden, kernel_size=1),
            nn.ReLU(),
            nn.Conv1d(hidden, width, kernel_size=TAPS, stride=stride),
        )

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(N, L, C) -> (N, shortened L, C)."""
        x = x + self.code
        x = x + self.attention(self.norm1(x), allowed)
        first, active, strided = self.mlp
        hidden = active(first(self.norm2(x).transpose(1, 2)))  # (N, hidden, L)
        mixed = strided(functional.pad(hidden, self.padding)).transpose(1, 2)  # (N, shortened L, C)
        middle = functional.pad(x, (0, 0, *self.padding))[:, TAPS // 2 : -(TAPS // 2)]
        return middle[:, :: self.stride] + mixed


def shortened(length: int, stride: int, padding: tuple[int, int]) -> int:
    """How many tokens a strided convolution makes of `length`."""
    return (length + sum(padding) - TAPS) // stride + 1


class Uplift(OnePose):
    """Spatial and temporal transformer, then strided layers down to one pose; F counts tokens.

    A token stands for one frame in every few. Those without a 2D pose of their own are filled by a
    learned token, and barred from the attention of the first blocks: the paper's upsampling,
    which is `forward`. A lifter gives every token its 2D.

    barred: how many blocks bar them. The strided layers fit one length each, hence `dense`.
    Poses come out in metres, relative to the root, in the authors' order of joints (the card's).
    """

    stacked = 1
    dense = True

    def __init__(
        self,
        frames: int,
        lengths: list[int],
        blocks: int,
        width: int,
        heads: int,
        mlp_ratio: float,
        drop_path: float,
        spatial_blocks: int,
        spatial_width: int,
        strides: list[int],
        paddings: list[tuple[int, int]],
        barred: int,
    ) -> None:
        super().__init__()
        self.width = width
        self.barred = barred

        def layers(count: int, width: int, active: type[nn.Module]) -> list[SeparateLayer]:
            rates = rising(drop_path, count)
            return [SeparateLayer(width, heads, mlp_ratio, active(), rate) for rate in rates]

        self.embedding = nn.Linear(self.channels, spatial_width)
        self.joint_code = nn.Parameter(torch.zeros(self.joints, spatial_width))
        self.spatial = nn.Sequential(*layers(spatial_blocks, spatial_width, nn.GELU))
        self.spatial_norm = nn.LayerNorm(spatial_width, eps=1e-6)
        self.mapping = nn.Linear(self.joints * spatial_width, width)
        self.token = nn.Parameter(torch.zeros(width))
        self.frame_code = nn.Parameter(torch.zeros(frames, width))
        self.blocks = nn.ModuleList(Frames(one, ()) for one in layers(blocks, width, nn.ReLU))
        self.strided = nn.Sequential()
        length = frames
        for stride, padding in zip(strides, paddings, strict=True):
            layer = StridedLayer(width, heads, mlp_ratio, length, stride, (padding[0], padding[1]))
            self.strided.append(layer)
            length = shortened(length, stride, layer.padding)
        if length != 1:
            raise BenchError(
                f"strides {strides} with paddings {paddings} leave {length} of {frames} tokens; "
                "expected 1"
            )
        self.full_regression = nn.Linear(width, 3 * self.joints)
        self.regression = nn.Linear(width, 3 * self.joints)
        for code in (self.joint_code, self.frame_code, self.token):
            nn.init.trunc_normal_(code, std=0.02)

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) in screen units, observed (B, F) bool or nothing: all -> (B, F, 1, C)."""
        poses2d, *told = inputs
        observed = told[0] if told else poses2d.new_ones(poses2d.shape[:2], dtype=torch.bool)
        poses2d = poses2d * observed[:, :, None, None]
        x = (self.embedding(poses2d) + self.joint_code).flatten(0, 1)  # (B F, J, spatial width)
        x = self.spatial_norm(self.spatial(x)).unflatten(0, observed.shape)
        x = torch.where(observed[..., None], self.mapping(x.flatten(2)), self.token)  # (B, F, C)
        return (x + self.frame_code)[:, :, None]  # (B, F, 1, C)

    def forward(self, poses2d: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """(B, F, J, 2), which of them are there (B, F) -> (B, 1, J, 3), and all (B, F, J, 3).

        Where none is there all may be looked at, for attention to nothing is no number.
        """
        tokens = self.embed(poses2d, observed)
        allowed = (observed | ~observed.any(dim=1, keepdim=True))[:, None]  # (B, 1, F)
        for index, block in enumerate(self.blocks):
            tokens = block(tokens, allowed if index < self.barred else None)
        every = torch.arange(tokens.shape[1], device=tokens.device).expand(tokens.shape[0], -1)
        return self.head(tokens, every), self.auxiliary(tokens)

    def head(self, tokens: Tensor, kept: Tensor) -> Tensor:
        """See OnePose; all F frames are there."""
        return self.regression(self.strided(tokens[:, :, 0])).unflatten(-1, (-1, 3))

    def auxiliary(self, tokens: Tensor) -> Tensor:
        """See Backbone."""
        return self.full_regression(tokens[:, :, 0]).unflatten(-1, (-1, 3))

"""STCFormer: criss-cross attention over space and time on halves of the channels (CVPR 2023)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from htpbench.network.contracts import Backbone, Block
from htpbench.network.layers import fold, received_attention, repeat

# Of each joint: 0 trunk and head, 1 right leg, 2 left leg, 3 left arm, 4 right arm.
PARTS = (0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 3, 3, 3, 4, 4, 4)
PART_FACTORS = (1e-4, 1e-9)  # of the spatial and of the temporal half, as in the official code


class Half(nn.Module):
    """What is added to the attention of one half: a convolution of its values, a code of parts.

    The 3 x 3 convolution runs over frames and joints as they lie: frames that are left after a
    pruning become neighbours.
    """

    def __init__(self, width: int, factor: float, dropout: float) -> None:
        super().__init__()
        self.factor = factor
        self.dropout = dropout
        self.convolution = nn.Conv2d(width, width, 3, padding=1, groups=width)

    def forward(self, values: Tensor, code: Tensor) -> Tensor:
        """(B, f, J, heads, D) and (J, 1, D) -> (B, f, J, heads, D)."""
        plane = values.flatten(3).permute(0, 3, 1, 2)  # (B, heads D, f, J)
        mixed = self.convolution(plane).permute(0, 2, 3, 1).unflatten(-1, values.shape[3:])
        # One draw for the whole batch: the code is added doubled, or not at all.
        kept = functional.dropout(code.new_ones(()), self.dropout, self.training)
        return mixed + self.factor * kept * code


class CrissCross(nn.Module):
    """Attention over the joints of a frame on half the channels, over frames on the others.

    The projection has q, k and v of a channel side by side; heads of the two halves alternate in
    what is projected back.
    """

    parts: Tensor  # (J,)

    def __init__(self, width: int, heads: int, part_dropout: float) -> None:
        super().__init__()
        half = width // 2
        self.heads = heads
        self.scale = half**-0.5  # of the half, not of a head
        self.qkv = nn.Linear(width, 3 * width)
        self.spatial, self.temporal = (Half(half, one, part_dropout) for one in PART_FACTORS)
        self.part_code = nn.Parameter(torch.randn(max(PARTS) + 1, half // heads))
        self.projection = nn.Linear(width, width)
        self.register_buffer("parts", torch.tensor(PARTS), persistent=False)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, f, J, C) -> q, k, v of the spatial, of the temporal half: (3, B, f, J, heads, D)."""
        qkv = self.qkv(x).unflatten(-1, (2, self.heads, -1, 3))  # (B, f, J, 2, heads, D, 3)
        spatial, temporal = qkv.movedim(-1, 0).unbind(dim=4)
        return spatial, temporal

    def attend(self, qkv: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(3, N, L, heads, D) -> (N, L, heads, D); allowed (N, 1 or L, L) bool."""
        q, k, v = qkv.transpose(2, 3)  # (N, heads, L, D)
        mask = None if allowed is None else allowed[:, None]  # (N, 1, 1 or L, L)
        attention = functional.scaled_dot_product_attention
        return attention(q, k, v, attn_mask=mask, scale=self.scale).transpose(1, 2)

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(B, f, J, C) -> (B, f, J, C); allowed (B, 1 or f, f) bool: frames to attend to."""
        batch, frames, joints, _ = x.shape
        spatial, temporal = self.split(x)
        code = self.part_code[self.parts][:, None]  # (J, 1, D)
        over_joints = self.attend(spatial.flatten(1, 2))  # (B f, J, heads, D)
        folded = temporal.transpose(2, 3).flatten(1, 2)  # (3, B J, f, heads, D)
        over_frames = self.attend(folded, repeat(allowed, joints))  # (B J, f, heads, D)
        halves = (
            over_joints.unflatten(0, (batch, frames)) + self.spatial(spatial[2], code),
            over_frames.unflatten(0, (batch, joints)).transpose(1, 2)
            + self.temporal(temporal[2], code),
        )
        return self.projection(torch.cat(halves, dim=-1).flatten(3))  # (B, f, J, C)

    def received(self, x: Tensor) -> Tensor:
        """(B, f, J, C) -> (B, f): temporal attention, mean over heads, queries and joints."""
        q, k, _ = self.split(x)[1]  # (B, f, J, heads, D)
        q, k = (fold(one).transpose(1, 2) for one in (q, k))  # (B J, heads, f, D)
        found = received_attention(q * self.heads**-0.5, k)  # (B J, f), scaled as above
        return found.unflatten(0, (x.shape[0], -1)).mean(dim=1)


class CrissCrossBlock(Block):
    """x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, width: int, heads: int, dropout: float, part_dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.attention = CrissCross(width, heads, part_dropout)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width, bias=False),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * width, width, bias=False),
            nn.Dropout(dropout),
        )

    def forward(self, tokens: Tensor, allowed: Tensor | None = None) -> Tensor:
        """See Block; what the convolutions mix, `allowed` does not bar."""
        tokens = tokens + self.attention(self.norm1(tokens), allowed)
        return tokens + self.mlp(self.norm2(tokens))

    def received(self, tokens: Tensor) -> Tensor:
        """See Block; of the temporal half, mean over heads, queries and joints."""
        return self.attention.received(self.norm1(tokens))


class STCFormer(Backbone):
    """Blocks of criss-cross attention between two linear layers, without any code of frames.

    Width divisible by twice the heads. Poses come out in metres, relative to the root.
    """

    mixes_frames = True

    def __init__(
        self,
        frames: int,
        lengths: list[int],
        blocks: int,
        width: int,
        heads: int,
        dropout: float,
        part_dropout: float,
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Linear(self.channels, width, bias=False)
        self.blocks = nn.ModuleList(
            CrissCrossBlock(width, heads, dropout, part_dropout) for _ in range(blocks)
        )
        self.regression = nn.Linear(width, 3, bias=False)

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) in screen units -> (B, F, J, C)."""
        (poses2d,) = inputs
        return functional.gelu(self.embedding(poses2d))

    def head(self, tokens: Tensor) -> Tensor:
        """See Backbone."""
        return self.regression(tokens)

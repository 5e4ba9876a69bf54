"""MotionAGFormer: a stream of attention beside one of graphs (Mehraban et al., WACV 2024)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from htpbench.network.contracts import Backbone
from htpbench.network.layers import Attention, Stream, TwoStreams

# Joints that each joint listens to, as the official code lists them: neither symmetric nor all
# neighbours (the pelvis does not hear the left hip, nor the neck the shoulders).
HEARD = (
    *((1, 7), (2, 0), (3, 1), (2,), (5, 0), (6, 4), (5,), (0, 8), (7, 9)),
    *((8, 10), (9,), (12, 8), (13, 11), (12,), (15, 8), (16, 14), (15,)),
)


def skeleton() -> Tensor:
    """(J, J): row i is 1 at the joints that joint i listens to."""
    rows = [[float(j in heard) for j in range(len(HEARD))] for heard in HEARD]
    return torch.tensor(rows)


def nearest(x: Tensor, count: int, allowed: Tensor | None) -> Tensor:
    """(N, L, C) -> (N, L, L): row i is 1 at the positions most like i by dot product.

    They are `count`, and more on ties; the position itself may not be among them.
    allowed (N, 1 or L, L) bool: positions to choose from, as in Block.
    """
    with torch.no_grad():
        scores = x @ x.transpose(1, 2)  # (N, L, L)
        if allowed is not None:
            scores = scores.masked_fill(~allowed, float("-inf"))
        least = scores.topk(min(count, x.shape[1])).values[..., -1:]  # (N, L, 1)
        near = scores >= least
        return (near if allowed is None else near & allowed).to(x.dtype)


class Graph(nn.Module):
    """A graph convolution over L nodes: the skeleton's, or the nearest of the nodes themselves.

    neighbours: how many nearest; None: the skeleton. Each node has a normalisation of its own,
    so that L is fixed.
    """

    def __init__(self, width: int, nodes: int, neighbours: int | None) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.own = nn.Linear(width, width)
        self.others = nn.Linear(width, width)
        self.norm = nn.BatchNorm1d(nodes)
        if neighbours is None:
            self.register_buffer("skeleton", skeleton(), persistent=False)

    def adjacency(self, x: Tensor, allowed: Tensor | None) -> Tensor:
        """(N, L, L), divided by the roots of the row sums on both sides."""
        if self.neighbours is None:
            edges = self.skeleton.to(x.dtype).expand(x.shape[0], -1, -1)  # type: ignore[operator]
        else:
            edges = nearest(x, self.neighbours, allowed)
        scale = edges.sum(dim=-1).rsqrt()  # (N, L)
        return scale[:, :, None] * edges * scale[:, None, :]

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(N, L, C) -> (N, L, C)."""
        heard = self.adjacency(x, allowed) @ self.others(x)  # (N, L, C)
        return torch.relu(x + self.norm(heard + self.own(x)))


class ScaledLayer(nn.Module):
    """Pre-norm layer around attention or a graph; its branches begin almost silent."""

    def __init__(self, width: int, mixer: nn.Module, mlp_ratio: float) -> None:
        super().__init__()
        hidden = int(width * mlp_ratio)
        self.norm1 = nn.LayerNorm(width)
        self.mixer = mixer
        self.scale1 = nn.Parameter(torch.full((width,), 1e-5))
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.scale2 = nn.Parameter(torch.full((width,), 1e-5))

    def forward(self, x: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(N, L, C) -> (N, L, C)."""
        x = x + self.scale1 * self.mixer(self.norm1(x), allowed)
        return x + self.scale2 * self.mlp(self.norm2(x))

    def received(self, x: Tensor) -> Tensor:
        """(N, L): attention that each position receives; see Attention."""
        return self.mixer.received(self.norm1(x))  # type: ignore[operator]


class AttentionAndGraph(TwoStreams):
    """The stream of attention, then that of graphs; both look over joints first."""

    def received(self, tokens: Tensor) -> Tensor:
        """See Block; the graphs have no attention."""
        return self.streams[0].received(tokens)  # type: ignore[operator]


class MotionAGFormer(Backbone):
    """MotionAGFormer of the official code; b = 0 prunes before the first block.

    Takes x, y and confidence. Its temporal graphs normalise each frame by itself, so that weights
    serve one schedule. Poses come out in metres, relative to the root; the official weights give
    2.5D image coordinates instead.
    """

    channels: ClassVar[int] = 3
    per_length: ClassVar[bool] = True
    length_key: ClassVar[str] = "streams.1.temporal.mixer.norm.weight"

    def __init__(
        self,
        frames: int,
        lengths: list[int],
        blocks: int,
        width: int,
        heads: int,
        mlp_ratio: float,
        neighbours: int,
        representation: int,
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Linear(self.channels, width)
        self.joint_code = nn.Parameter(torch.zeros(1, self.joints, width))
        self.norm = nn.LayerNorm(width)

        def attention() -> nn.Module:
            return ScaledLayer(width, Attention(width, heads, bias=False), mlp_ratio)

        def graph(nodes: int, nearest: int | None) -> nn.Module:
            return ScaledLayer(width, Graph(width, nodes, nearest), mlp_ratio)

        self.blocks = nn.ModuleList(
            AttentionAndGraph(
                (
                    Stream(attention(), attention()),
                    Stream(graph(self.joints, None), graph(length, neighbours)),
                ),
                width,
                (self.norm,) if index == blocks - 1 else (),
            )
            for index, length in enumerate(lengths)
        )
        self.regression = nn.Sequential(
            nn.Linear(width, representation), nn.Tanh(), nn.Linear(representation, 3)
        )
        nn.init.normal_(self.joint_code, std=0.02)

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 3): screen units and confidence -> (B, F, J, C), without a code of time."""
        (poses2d,) = inputs
        return self.embedding(poses2d) + self.joint_code

    def head(self, tokens: Tensor) -> Tensor:
        """See Backbone."""
        return self.regression(tokens)

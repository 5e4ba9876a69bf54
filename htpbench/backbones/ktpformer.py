"""KTPFormer: MixSTE behind graphs of the skeleton and of time (Peng et al., CVPR 2024)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from htpbench.backbones.mixste import MixSTE, over_joints
from htpbench.network.layers import fold

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)  # the tree of Human3.6M


def topology(parents: tuple[int, ...]) -> Tensor:
    """(n, n): each node to its neighbours in a tree, rows summing to 1, and to itself with 1."""
    children = list(range(1, len(parents)))
    linked = torch.zeros(len(parents), len(parents))
    linked[children, list(parents[1:])] = 1.0
    linked = linked + linked.T
    return linked / linked.sum(dim=1, keepdim=True).clamp(min=1) + torch.eye(len(parents))


class Graph(nn.Module):
    """Modulated graph convolution, batch norm and ReLU over the nodes of a tree.

    The tree gives the fixed part of the adjacency; the rest is learned and near 0 at first.
    """

    def __init__(self, parents: tuple[int, ...], width_in: int, width: int) -> None:
        super().__init__()
        nodes = len(parents)
        self.register_buffer("fixed", topology(parents), persistent=False)
        self.learned = nn.Parameter(torch.full((nodes, nodes), 1e-6))
        self.weight = nn.Parameter(torch.empty(2, width_in, width))  # of a node, of neighbours
        self.modulation = nn.Parameter(torch.ones(nodes, width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.norm = nn.BatchNorm1d(width)
        for weight in self.weight:
            nn.init.xavier_uniform_(weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, n, C in) -> (N, n, C)."""
        links = self.fixed + self.learned  # type: ignore[operator]
        links = (links + links.T) / 2  # (n, n)
        own = links.diagonal()
        to_others = links - own.diag_embed()
        nodes, neighbours = (self.modulation * (x @ weight) for weight in self.weight)
        mixed = own[:, None] * nodes + to_others @ neighbours + self.bias  # (N, n, C)
        return self.norm(mixed.transpose(1, 2)).transpose(1, 2).relu()


class KTPFormer(MixSTE):
    """MixSTE with prior knowledge in pair 0: KPA before its joints, TPA before its frames attend.

    The graphs of TPA own F x F and F x C parameters, which is why b = 0 is refused.
    """

    def __init__(self, frames: int, lengths: list[int], **settings: Any) -> None:
        super().__init__(frames, lengths, **settings)
        chain = tuple(range(-1, frames - 1))  # each frame follows the one before
        self.embedding = Graph(PARENTS, self.channels, self.width)
        self.trajectory = nn.Sequential(
            Graph(chain, self.width, self.width), Graph(chain, self.width, self.width)
        )
        for layer in (self.spatial, self.blocks[0].temporal):  # as in the official code
            layer.norm1.eps = 1e-5  # type: ignore[union-attr]

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) in screen units -> (B, F, J, C)."""
        (poses2d,) = inputs
        tokens = self.embedding(poses2d.flatten(0, 1)).unflatten(0, poses2d.shape[:2])
        tokens = over_joints(self.spatial, self.spatial_norm, tokens + self.joint_code)
        x = fold(tokens)  # (B J, F, C)
        x = x + self.trajectory(x) + self.frame_code
        return x.unflatten(0, (tokens.shape[0], -1)).transpose(1, 2)  # (B, F, J, C)

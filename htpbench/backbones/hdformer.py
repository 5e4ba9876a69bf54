"""HDFormer: a U-net over time, graphs of joints, attention to bones (Chen et al., IJCAI 2023)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from htpbench.backbones.ktpformer import PARENTS
from htpbench.network.contracts import Backbone
from htpbench.network.layers import CrossAttention, mlp

KERNEL = 9  # frames that a convolution over time sees
SUBSETS = 3  # graphs of a layer: each joint itself, its children, its parent
# Joints in a row, by the number of bones between them less 2; not all rows of 3 are among them.
PATHS = (
    (
        *((0, 1, 2), (0, 4, 5), (0, 7, 8), (1, 2, 3), (4, 5, 6), (7, 8, 9), (7, 8, 11)),
        *((7, 8, 14), (8, 9, 10), (8, 11, 12), (8, 14, 15), (11, 12, 13), (14, 15, 16)),
    ),
    (
        *((0, 1, 2, 3), (0, 4, 5, 6), (0, 7, 8, 9), (7, 8, 9, 10)),
        *((7, 8, 11, 12), (7, 8, 14, 15), (8, 11, 12, 13), (8, 14, 15, 16)),
    ),
    (
        *((0, 7, 8, 9, 10), (0, 7, 8, 11, 12), (0, 7, 8, 14, 15)),
        *((7, 8, 11, 12, 13), (7, 8, 14, 15, 16)),
    ),
)


def graphs() -> Tensor:
    """(3, J, J): column u holds the joints that u looks at, of equal weight."""
    found = torch.zeros(SUBSETS, len(PARENTS), len(PARENTS))
    found[0] = torch.eye(len(PARENTS))
    for child, parent in enumerate(PARENTS):  # the root's -1 is the last joint, as with the authors
        found[1, parent, child] = found[2, child, parent] = 1
    return found / found.sum(dim=1, keepdim=True).clamp(min=1)


def fitted(width: int, wider: int, stride: int = 1) -> nn.Module:
    """(B, C, F, J) -> (B, C', F / stride, J), as a residual: itself where that is the same."""
    if width == wider and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(width, wider, 1, stride=(stride, 1)), nn.BatchNorm2d(wider))


def subsets(width: int, wider: int) -> nn.ModuleList:
    """A 1 x 1 convolution for each of the graphs."""
    return nn.ModuleList(nn.Conv2d(width, wider, 1) for _ in range(SUBSETS))


class JointGraph(nn.Module):
    """Mixes joints by three graphs: fixed, learned, and drawn from the whole clip (FOA)."""

    graphs: Tensor  # (3, J, J)

    def __init__(self, width: int, wider: int) -> None:
        super().__init__()
        self.sources = subsets(width, wider // 4)
        self.targets = subsets(width, wider // 4)
        self.out = subsets(width, wider)
        self.linears = nn.ModuleList(nn.Linear(width, width) for _ in range(SUBSETS))
        self.register_buffer("graphs", graphs(), persistent=False)
        self.learned = nn.Parameter(torch.full(self.graphs.shape, 1e-6))
        self.norm = nn.BatchNorm2d(wider)
        nn.init.constant_(self.norm.weight, 1e-6)  # as the official code begins
        self.down = fitted(width, wider)

    def similarity(self, x: Tensor, subset: int) -> Tensor:
        """(B, C, F, J) -> (B, J, J): of all frames, each column adds up to 1."""
        a, b = self.sources[subset](x), self.targets[subset](x)  # (B, C' / 4, F, J)
        products = a.flatten(1, 2).transpose(1, 2) @ b.flatten(1, 2)  # (B, J, J)
        return (products / (a.shape[1] * a.shape[2])).softmax(dim=1)

    def mixed(self, x: Tensor, subset: int) -> Tensor:
        """(B, C, F, J) -> (B, C', F, J): along one of the graphs."""
        edges = self.graphs[subset] + self.learned[subset] + self.similarity(x, subset)
        linear = self.linears[subset](x.movedim(1, -1)).movedim(-1, 1)  # (B, C, F, J)
        return self.out[subset](linear @ edges[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, J) -> (B, C', F, J)."""
        mixed = torch.stack([self.mixed(x, subset) for subset in range(SUBSETS)]).sum(dim=0)
        return functional.relu(self.norm(mixed) + self.down(x))


class Bones(nn.Module):
    """Joints look at bones, and at rows of up to `bones` of them, of their own frame."""

    parents: Tensor  # (J - 1,), of each joint but the root
    places: Tensor  # (bones of all rows,), row after row: which bone

    def __init__(self, width: int, heads: int, bones: int) -> None:
        super().__init__()
        paths = PATHS[: bones - 1]
        self.rows = nn.ModuleList(
            nn.ModuleList(nn.Linear(len(path) - 1, 1) for path in alike) for alike in paths
        )
        places = [child - 1 for alike in paths for path in alike for child in path[1:]]
        for name, held in (("parents", PARENTS[1:]), ("places", places)):
            self.register_buffer(name, torch.tensor(held), persistent=False)
        self.attention = CrossAttention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = mlp(width, 2 * width)

    def edges(self, joints: Tensor) -> Tensor:
        """(N, J, C) -> (N, edges, C): child less parent, and what each row makes of its bones."""
        bones = joints[:, 1:] - joints[:, self.parents]  # (N, J - 1, C), in order of the child
        linears = [linear for alike in self.rows for linear in alike]  # type: ignore[union-attr]
        lengths = [linear.in_features for linear in linears]
        bent = bones[:, self.places].transpose(1, 2).split(lengths, dim=2)  # each (N, C, k)
        rows = [linear(path) for linear, path in zip(linears, bent, strict=True)]  # (N, C, 1)
        return torch.cat((bones, torch.cat(rows, dim=2).transpose(1, 2)), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, J) -> (B, C, F, J)."""
        joints = x.movedim(1, -1).flatten(0, 1)  # (B F, J, C)
        edges = self.edges(joints)
        joints = joints + self.norm1(self.attention(joints, edges, edges))
        joints = joints + self.mlp(self.norm2(joints))
        return joints.unflatten(0, (x.shape[0], -1)).movedim(-1, 1)  # (B, C, F, J)


class Level(nn.Module):
    """A joint graph, attention to bones where it has it, and a convolution over time (HOA)."""

    def __init__(
        self,
        width: int,
        wider: int,
        stride: int = 1,
        dropout: float = 0.0,
        bones: Bones | None = None,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.graph = JointGraph(width, wider)
        self.bones = bones
        self.temporal = nn.Sequential(
            nn.BatchNorm2d(wider),
            nn.ReLU(),
            nn.Conv2d(wider, wider, (KERNEL, 1), stride=(stride, 1), padding=(KERNEL // 2, 0)),
            nn.BatchNorm2d(wider),
            nn.Dropout(dropout),
        )
        self.residual = fitted(width, wider, stride) if residual else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, F, J) -> (B, C', F / stride, J)."""
        mixed = self.graph(x)
        if self.bones is not None:
            mixed = self.bones(mixed)
        mixed = self.temporal(mixed)
        return functional.relu(mixed if self.residual is None else mixed + self.residual(x))


def longer(x: Tensor, times: int) -> Tensor:
    """(B, C, F, J) -> (B, C, times F, J): frames in between are blended from their neighbours."""
    return functional.interpolate(x, scale_factor=(times, 1), mode="bilinear", align_corners=False)


class HDFormer(Backbone):
    """A convolutional U-net with nothing to prune: no part of it takes frames one by one.

    F a multiple of 16, and no parameter depends on it. Takes and gives what the card's
    normalisation makes of screen units and metres, relative to the root.
    """

    def __init__(
        self,
        frames: int,
        lengths: list[int],
        blocks: int,
        widths: list[int],
        heads: int,
        bones: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.width = first = widths[0]
        self.blocks = nn.ModuleList()
        self.input_norm = nn.BatchNorm1d(self.channels * self.joints)
        self.shrinking = nn.ModuleList([Level(self.channels, first, residual=False)])
        for depth, (width, wider) in enumerate(pairwise(widths)):
            rate = dropout if depth > 1 else 0.0  # where there are few frames
            self.shrinking.append(Level(width, wider, 2, rate))
            self.shrinking.append(Level(wider, wider, 1, rate))
        back = widths[::-1]
        rates = [dropout if depth < 2 else 0.0 for depth in range(len(back) - 1)]
        self.growing = nn.ModuleList(
            Level(width, narrower, dropout=rate)
            for (width, narrower), rate in zip(pairwise(back), rates, strict=True)
        )
        self.merging = nn.ModuleList(
            Level(width, first, dropout=rate, bones=Bones(first, heads, bones))
            for width, rate in zip(back[:-1], rates, strict=True)
        )
        self.regression = nn.Conv2d(first, 3 * (self.joints - 1), (3, self.joints), padding=(1, 0))

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, 2) -> (B, F, J, C)."""
        (poses2d,) = inputs
        planes = poses2d.movedim(-1, 1)  # (B, 2, F, J)
        normed = self.input_norm(planes.transpose(2, 3).flatten(1, 2))  # (B, 2 J, F)
        x = normed.unflatten(1, (self.channels, -1)).transpose(2, 3)  # (B, 2, F, J)
        skips = []
        for index, level in enumerate(self.shrinking):
            x = level(x)
            if index % 2 == 0:  # the last of its length
                skips.append(x)
        x, merged = skips.pop(), []  # of F / 16 frames
        for grow, merge in zip(self.growing, self.merging, strict=True):
            merged.append(longer(merge(x), 2 ** len(skips)))
            x = longer(grow(x), 2) + skips.pop()
        return (x + torch.stack(merged).sum(dim=0)).movedim(1, -1)  # (B, F, J, C)

    def head(self, tokens: Tensor) -> Tensor:
        """See Backbone; the root is 0 before the card's normalisation is undone."""
        rest = self.regression(tokens.movedim(-1, 1)).squeeze(-1)  # (B, 3 (J - 1), F)
        rest = rest.unflatten(1, (3, -1)).movedim(1, -1).transpose(1, 2)  # (B, F, J - 1, 3)
        return functional.pad(rest, (0, 0, 1, 0))

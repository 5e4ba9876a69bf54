"""DiffPose's network over the joints of one frame (Gong et al., CVPR 2023, and its code).

With `timed` it is the refiner of the video version, a denoiser of (u, v, x, y, z); without, the
frame version's pose network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from htpbench.motion.skeleton import PARENTS
from htpbench.network.layers import CrossAttention, sinusoid

# Official checkpoint keys to ours.
KEYS = (
    (r"^gconv_input\.", "enter."),
    (r"^gconv_output\.", "leave."),
    (r"^temb\.dense\.0\.", "time.0."),
    (r"^temb\.dense\.1\.", "time.2."),
    (r"^gconv_layers\.(\d+)\.gconv1\.gconv\.", r"pairs.\1.first."),
    (r"^gconv_layers\.(\d+)\.gconv2\.gconv\.", r"pairs.\1.second."),
    (r"^gconv_layers\.(\d+)\.temb_proj\.", r"pairs.\1.time."),
    (r"^atten_layers\.(\d+)\.self_attn\.linears\.0\.", r"mixers.\1.attention.query."),
    (r"^atten_layers\.(\d+)\.self_attn\.linears\.1\.", r"mixers.\1.attention.key."),
    (r"^atten_layers\.(\d+)\.self_attn\.linears\.2\.", r"mixers.\1.attention.value."),
    (r"^atten_layers\.(\d+)\.self_attn\.linears\.3\.", r"mixers.\1.attention.projection."),
    (r"^atten_layers\.(\d+)\.feed_forward\.A_hat$", r"mixers.\1.graph.links"),
    (r"^atten_layers\.(\d+)\.feed_forward\.gconv1\.fc\.", r"mixers.\1.graph.first."),
    (r"^atten_layers\.(\d+)\.feed_forward\.gconv2\.fc\.", r"mixers.\1.graph.second."),
    (r"^atten_layers\.(\d+)\.sublayer\.(\d)\.norm\.a_2$", r"mixers.\1.norms.\2.weight"),
    (r"^atten_layers\.(\d+)\.sublayer\.(\d)\.norm\.b_2$", r"mixers.\1.norms.\2.bias"),
)


def skeleton() -> Tensor:
    """(J, J): each joint to its neighbours and itself, rows summing to 1."""
    linked = torch.eye(len(PARENTS))
    for child, parent in enumerate(PARENTS[1:], start=1):
        linked[child, parent] = linked[parent, child] = 1.0
    return linked / linked.sum(dim=1, keepdim=True)


def chebyshev(adjacency: Tensor) -> Tensor:
    """(J, J) -> (3, J, J): I, L and 2 L^2 - I of the normalised Laplacian L."""
    scale = adjacency.sum(dim=1).rsqrt()
    one = torch.eye(len(adjacency))
    laplacian = one - scale[:, None] * adjacency * scale
    return torch.stack((one, laplacian, 2 * laplacian @ laplacian - one))


class GraphConvolution(nn.Module):
    """Chebyshev convolution of order 2 over the skeleton."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.register_buffer("terms", chebyshev(skeleton()), persistent=False)
        self.weight = nn.Parameter(torch.empty(3, width_in, width))
        self.bias = nn.Parameter(torch.zeros(width))
        for weight in self.weight:
            nn.init.xavier_normal_(weight)

    def forward(self, x: Tensor) -> Tensor:
        """(N, J, C in) -> (N, J, C)."""
        spread = self.terms[:, None] @ x  # type: ignore[index]  # (3, N, J, C in)
        return (spread @ self.weight[:, None]).sum(dim=0) + self.bias


class Norm(nn.Module):
    """Layer norm with the unbiased standard deviation, eps added to it and not under the root."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """(..., C) -> (..., C)."""
        centred = x - x.mean(dim=-1, keepdim=True)
        return self.weight * centred / (x.std(dim=-1, keepdim=True) + 1e-6) + self.bias


class LearnedGraph(nn.Module):
    """Two linear layers over neighbours in a learned graph, ReLU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.links = nn.Parameter(torch.eye(len(PARENTS)))
        self.first = nn.Linear(width, 2 * width)
        self.second = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(N, J, C) -> (N, J, C)."""
        scale = (self.links.sum(dim=0) + 1e-5).rsqrt()
        links = scale[:, None] * self.links * scale  # (J, J)
        return self.second(links @ self.first(links @ x).relu())


class Mixer(nn.Module):
    """Attention between joints, then the learned graph, each behind a norm and added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention = CrossAttention(width, heads)
        self.graph = LearnedGraph(width)
        self.norms = nn.ModuleList((Norm(width), Norm(width)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, J, C) -> (N, J, C)."""
        normed = self.norms[0](x)
        x = x + self.attention(normed, normed, normed)
        return x + self.graph(self.norms[1](x))


class Pair(nn.Module):
    """Two graph convolutions around a residual; the time enters between them."""

    def __init__(self, width: int, timed: bool) -> None:
        super().__init__()
        self.first = GraphConvolution(width, width)
        self.second = GraphConvolution(width, width)
        self.time = nn.Linear(4 * width, width) if timed else None

    def forward(self, x: Tensor, when: Tensor | None) -> Tensor:
        """(N, J, C), (N, 4 C) -> (N, J, C)."""
        y = self.first(x).relu()
        if self.time is not None and when is not None:
            y = y + self.time(nn.functional.silu(when))[:, None]
        return x + self.second(y).relu()


class Graph(nn.Module):
    """Graph convolutions and attention in turn; 17 joints of Human3.6M."""

    def __init__(
        self,
        channels: tuple[int, int] = (5, 5),
        width: int = 96,
        blocks: int = 5,
        heads: int = 4,
        timed: bool = True,
    ) -> None:
        super().__init__()
        self.width = width
        self.enter = GraphConvolution(channels[0], width)
        self.mixers = nn.ModuleList(Mixer(width, heads) for _ in range(blocks))
        self.pairs = nn.ModuleList(Pair(width, timed) for _ in range(blocks))
        self.leave = GraphConvolution(width, channels[1])
        wide = 4 * width
        self.time = (
            nn.Sequential(nn.Linear(width, wide), nn.SiLU(), nn.Linear(wide, wide))
            if timed
            else None
        )

    def forward(self, x: Tensor, time: Tensor | None = None) -> Tensor:
        """(N, J, channels in) and steps of noise (N,) -> (N, J, channels out)."""
        when = None
        if self.time is not None and time is not None:
            when = self.time(sinusoid(time, self.width))  # (N, 4 C)
        x = self.enter(x)
        for mixer, pair in zip(self.mixers, self.pairs, strict=True):
            x = pair(mixer(x), when)
        return self.leave(x)


def load_official(graph: Graph, state: Mapping[str, Tensor]) -> None:
    """Fill a network from an official state dict; every key must find its place and be used.

    The frame version's file has a time embedding that no formula of it uses: left out.
    """
    own, named = graph.state_dict(), {}
    for key, tensor in state.items():
        if graph.time is None and key.startswith("temb."):
            continue
        for pattern, ours in KEYS:
            key = re.sub(pattern, ours, key)
        named[key] = tensor.view_as(own[key]) if key in own else tensor  # theirs have axes of 1
    graph.load_state_dict(named)

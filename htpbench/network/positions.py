"""Where pruners and recoverers meet: even positions, a kept frame, top-r, clustering."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from htpbench.network.contracts import Shapes


def even_positions(n: int, r: int, device: torch.device | None = None) -> Tensor:
    """(r,): floor(i (n - 1) / (r - 1) + 1/2), in integers; the centre for r = 1.

    Both ends are kept and, for odd n and r, the centre. H2OT does not state a rule; this is ours.
    """
    i = torch.arange(r, device=device)
    if r == 1:
        return i + (n - 1) // 2
    return (2 * i * (n - 1) + r - 1) // (2 * (r - 1))


def with_kept(positions: Tensor, keep: Tensor | None) -> Tensor:
    """Move the nearest of the sorted positions (B, r) to `keep` (B,), the lower one on a tie."""
    if keep is None:
        return positions
    nearest = (positions - keep[:, None]).abs().argmin(dim=1, keepdim=True)  # (B, 1)
    return positions.scatter(1, nearest, keep[:, None])


def top(scores: Tensor, r: int, keep: Tensor | None) -> Tensor:
    """(B, r): sorted positions of the highest scores (B, n), ties to the lower position.

    `keep` (B,) is always among them.
    """
    if keep is not None:
        scores = scores.scatter(1, keep[:, None], float("inf"))
    order = scores.argsort(dim=1, descending=True, stable=True)  # (B, n)
    return order[:, :r].sort(dim=1).values


def exactly(device: torch.device) -> AbstractContextManager:
    """No autocast: products rounded to bfloat16 tie, and frames would go by their numbers."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def distances(features: Tensor) -> Tensor:
    """(B, n, D) -> (B, n, n): Euclidean distances / sqrt(D), exactly symmetric, diagonal 0."""
    features = features.to(torch.promote_types(features.dtype, torch.float32))  # cdist's least
    direct = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    symmetric = torch.minimum(direct, direct.transpose(1, 2)) / features.shape[-1] ** 0.5
    return symmetric - symmetric.diagonal(dim1=1, dim2=2).diag_embed()


def density_peaks(features: Tensor, k: int, noise: Tensor | None = None) -> Tensor:
    """(B, n, D) -> (B, n): DPC-kNN scores, density times distance to the nearest denser frame.

    HoT, Eq. 1-2, as the official code runs it: a frame counts among its own k neighbours, and the
    densest frame gets the largest distance of all. Ties of density go to the lower position; the
    official code adds uniform noise (B, n) times 1e-6 instead, which golden cases inject.
    """
    d = distances(features)  # (B, n, n)
    nearest = d.topk(min(k, d.shape[-1]), dim=-1, largest=False).values  # (B, n, k)
    density = (-nearest.square().mean(dim=-1)).exp()  # (B, n)
    if noise is not None:
        density = density + noise * 1e-6
    mine, other = density[:, :, None], density[:, None, :]  # (B, n, 1), (B, 1, n)
    denser = other > mine  # (B, n, n)
    if noise is None:
        n = density.shape[1]
        earlier = torch.ones(n, n, dtype=torch.bool, device=d.device).tril(-1)  # j < i
        denser = denser | ((other == mine) & earlier)
    farthest = d.flatten(1).max(dim=1).values[:, None, None]  # (B, 1, 1)
    delta = torch.where(denser, d, farthest).min(dim=-1).values  # (B, n)
    return delta * density


def published_pooling(shapes: Shapes) -> int:
    """Multiply-adds of HoT's joint pooling as the papers counted it: 18 a pooled value.

    A pooling over S = 17 joints is S additions and one division; backbones whose features keep
    all of S (D = S C) pool nothing.
    """
    if shapes.features == shapes.stacked * shapes.width:
        return 0
    return sum((shapes.stacked + 1) * n * shapes.features for n in shapes.lengths)

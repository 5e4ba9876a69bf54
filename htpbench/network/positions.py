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


def ahead(scores: Tensor) -> Tensor:
    """(B, n) -> (B, n, n) bool: whether j stands before i: higher, or as high at a lower position.

    Here and in `highest` nothing is sorted: in what order equals come out of a sort is not the same
    in torch and in the engines that networks are exported to.
    """
    mine, other = scores[:, :, None], scores[:, None, :]  # (B, n, 1), (B, 1, n)
    place = torch.arange(scores.shape[1], device=scores.device)
    return (other > mine) | ((other == mine) & (place < place[:, None]))


def highest(scores: Tensor, r: int) -> Tensor:
    """(..., n) bool: the r highest scores, ties to the lower position."""
    least = scores.topk(r, dim=-1).values[..., -1:]  # (..., 1)
    above = scores > least
    equal = ~(above | (scores < least))  # what is not a number takes no place from one
    left = r - above.sum(dim=-1, keepdim=True)
    return above | (equal & (equal.cumsum(dim=-1) <= left))


def top(scores: Tensor, r: int, keep: Tensor | None) -> Tensor:
    """(B, r): sorted positions of the highest scores (B, n), ties to the lower position.

    `keep` (B,) is always among them.
    """
    if keep is not None:
        scores = scores.scatter(1, keep[:, None], float("inf"))
    n = scores.shape[1]
    place = torch.arange(n, device=scores.device)
    return torch.where(highest(scores, r), place, n).sort(dim=1).values[:, :r]


def exactly(device: torch.device) -> AbstractContextManager:
    """No autocast: products rounded to bfloat16 tie, and frames would go by their numbers."""
    if torch.compiler.is_exporting() or not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def distances(features: Tensor) -> Tensor:
    """(B, n, D) -> (B, n, n): Euclidean distances / sqrt(D), exactly symmetric, diagonal 0."""
    features = features.to(torch.promote_types(features.dtype, torch.float32))  # cdist's least
    if torch.compiler.is_exporting():
        direct = by_products(features)
    else:
        direct = torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")
    symmetric = torch.minimum(direct, direct.transpose(1, 2)) / features.shape[-1] ** 0.5
    itself = torch.eye(symmetric.shape[1], dtype=torch.bool, device=symmetric.device)
    return symmetric.masked_fill(itself, 0.0)


def by_products(features: Tensor) -> Tensor:
    """(B, n, D) -> (B, n, n): Euclidean distances for engines, which have no cdist.

    Centred and in float64, since the squares of distances are differences of larger numbers.
    """
    centred = (features - features.mean(dim=1, keepdim=True)).double()
    squares = centred.square().sum(dim=-1)  # (B, n)
    products = centred @ centred.transpose(1, 2)
    apart = squares[:, :, None] + squares[:, None, :] - 2 * products
    return apart.clamp(min=0).sqrt().to(features.dtype)


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
    denser = ahead(density) if noise is None else density[:, None, :] > density[:, :, None]
    farthest = d.amax(dim=(1, 2), keepdim=True)  # (B, 1, 1)
    delta = torch.where(denser, d, farthest).amin(dim=-1)  # (B, n)
    return delta * density


def published_pooling(shapes: Shapes) -> int:
    """Multiply-adds of HoT's joint pooling as the papers counted it: 18 a pooled value.

    A pooling over S = 17 joints is S additions and one division; backbones whose features keep
    all of S (D = S C) pool nothing.
    """
    if shapes.features == shapes.stacked * shapes.width:
        return 0
    return sum((shapes.stacked + 1) * n * shapes.features for n in shapes.lengths)

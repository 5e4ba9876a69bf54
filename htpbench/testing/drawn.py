"""Seeded inputs of the contracts, and how close is equal."""

from __future__ import annotations

import torch
from torch import Tensor

from htpbench.network.positions import top

CLOSE = 1e-5
BATCH = 3


def some(n: int, r: int, seed: int, keep: Tensor | None = None) -> Tensor:
    """(BATCH, r): other sorted positions below n in each row, `keep` (BATCH,) among them."""
    return top(torch.rand(BATCH, n, generator=torch.Generator().manual_seed(seed)), r, keep)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, expected: Tensor, what: str) -> None:
    """Equal to 1e-5, or an AssertionError that says what was not."""
    torch.testing.assert_close(found, expected, atol=CLOSE, rtol=0, msg=lambda m: f"{what}: {m}")

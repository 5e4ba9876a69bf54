"""What enters a block: the tokens of the frames in place, and who may look at whom."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Present(NamedTuple):
    """The frames in place; masked: pruned ones are still among them."""

    tokens: Tensor  # (B, f, S, C)
    frames: Tensor  # (B, f), original frame numbers
    allowed: Tensor | None = None  # (B, 1 or f, f) bool, see Block; None: all may look at all
    masked: bool = False


def widen(positions: Tensor, tokens: Tensor) -> Tensor:
    """(B, r) -> (B, r, S, C), an index for gather."""
    return positions[:, :, None, None].expand(-1, -1, *tokens.shape[2:])


def chosen(tokens: Tensor, positions: Tensor) -> Tensor:
    """(B, n, S, C), (B, r) -> (B, r, S, C)."""
    return tokens.gather(1, widen(positions, tokens))


def gathered(tokens: Tensor, frames: Tensor, positions: Tensor, links: Tensor | None) -> Present:
    """Kept tokens (B, r, S, C) alone; links (B, n, n) bool of all that were there, cut to them."""
    if links is not None:
        rows = links.gather(1, positions[:, :, None].expand(-1, -1, links.shape[2]))  # (B, r, n)
        links = rows.gather(2, positions[:, None].expand(-1, rows.shape[1], -1))  # (B, r, r)
    return Present(tokens, frames.gather(1, positions), links)


def masked(
    tokens: Tensor, before: Present, positions: Tensor, links: Tensor | None = None
) -> Present:
    """Kept tokens (B, r, S, C) put back among all (B, n, S, C): only they are looked at."""
    kept = torch.ones_like(positions, dtype=torch.bool)  # (B, r)
    allowed = torch.zeros_like(before.frames, dtype=torch.bool).scatter(1, positions, kept)[:, None]
    if links is not None:
        allowed = links & allowed | itself(links)  # a pruned frame without links must not give NaN
    whole = before.tokens.scatter(1, widen(positions, before.tokens), tokens)  # (B, n, S, C)
    return Present(whole, before.frames, allowed, masked=True)


def unmasked(present: Present, kept_per_stage: list[Tensor]) -> Present:
    """Without the frames that are merely masked, given those that each pruning kept."""
    if not present.masked:
        return present
    kept = kept_per_stage[-1]  # of all F: numbers are positions
    return Present(chosen(present.tokens, kept), kept)


def itself(links: Tensor) -> Tensor:
    """(n, n) bool, true on the diagonal, for links (..., n, n)."""
    return torch.eye(links.shape[-1], dtype=torch.bool, device=links.device)

"""Token recovering interpolation (H2OT, section 3.2.2)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from htpbench.network.contracts import Recoverer, Shapes


class TRI(Recoverer):
    """Interpolates the 3D poses linearly at the true frame times; end values are held."""

    where: ClassVar[str] = "poses"

    def __init__(self, frames: int, ranks: list[int] | None, stacked: int, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, kept: Tensor, frames: Tensor) -> Tensor:
        """(B, r, J, 3) at the frame numbers kept (B, r) -> (B, f, J, 3) at `frames` (f,)."""
        batch, r = kept.shape
        times = frames.expand(batch, -1)  # (B, f)
        after = (kept[:, None] <= times[:, :, None]).sum(dim=-1)  # frames that are not later
        after = after.clamp(1, max(r - 1, 1))
        before, after = after - 1, after.clamp(max=r - 1)  # r = 1: both are the only frame
        start, stop = kept.gather(1, before), kept.gather(1, after)  # (B, f)
        gap = (stop - start).clamp(min=1).to(x.dtype)
        weight = ((times - start) / gap).clamp(0, 1)[:, :, None, None]
        return torch.lerp(pick(x, before), pick(x, after), weight)

    def published_macs(self, shapes: Shapes) -> int:
        """5 an output value: the papers ran a counted nn.Upsample of mode linear."""
        return 5 * shapes.recovered * 3 * shapes.joints


def pick(poses: Tensor, positions: Tensor) -> Tensor:
    """(B, r, J, 3), (B, f) -> (B, f, J, 3)."""
    return poses.gather(1, positions[:, :, None, None].expand(-1, -1, *poses.shape[2:]))

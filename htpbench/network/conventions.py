"""How a network's joints and numbers differ from ours: its order of joints, its normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from htpbench.systems.cards import Normalisation


class Conventions(nn.Module):
    """What is done to 2D before a network, and to its poses behind it; by default nothing.

    order: our number of each of its joints. normalisation: means and scales, in its order. They
    are the card's, not parameters: a file of weights does not hold them.
    """

    order: Tensor  # (J,)
    inverse: Tensor  # (J,)
    mean_2d: Tensor  # (J, 2), screen units
    std_2d: Tensor
    mean_3d: Tensor  # (J, 3), metres
    std_3d: Tensor

    def __init__(
        self, order: Sequence[int] = (), normalisation: Normalisation | None = None
    ) -> None:
        super().__init__()
        self.ordered, self.normalised = bool(order), normalisation is not None
        place = torch.tensor(order, dtype=torch.int64)
        found = {"order": place, "inverse": place.argsort()} if order else {}
        found |= {name: torch.tensor(value) for name, value in normalisation or ()}
        for name, tensor in found.items():
            self.register_buffer(name, tensor, persistent=False)

    def enter(self, poses2d: Tensor) -> Tensor:
        """(B, F, J, channels) in our order, screen units -> as the network has it."""
        if self.ordered:
            poses2d = poses2d[:, :, self.order]
        return (poses2d - self.mean_2d) / self.std_2d if self.normalised else poses2d

    def leave(self, poses: Tensor) -> Tensor:
        """(B, f, J, 3) as the network has it -> in our order, metres."""
        if self.normalised:
            poses = poses * self.std_3d + self.mean_3d
        return poses[:, :, self.inverse] if self.ordered else poses

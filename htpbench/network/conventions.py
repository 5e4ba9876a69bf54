"""How a network's joints and numbers differ from ours: its order of joints, its normalisation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from htpbench.motion.skeleton import ROOT
from htpbench.systems.cards import Normalisation

SMALLEST = 1e-12  # of a person's size squared: all joints in one place stay there


class Conventions(nn.Module):
    """What is done to 2D before a network, and to its poses behind it; by default nothing.

    root_relative: 2D is told from the root of each frame, in units of the person's size.
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
        self,
        order: Sequence[int] = (),
        normalisation: Normalisation | None = None,
        root_relative: bool = False,
    ) -> None:
        super().__init__()
        self.root_relative = root_relative
        self.ordered, self.normalised = bool(order), normalisation is not None
        place = torch.tensor(order, dtype=torch.int64)
        found = {"order": place, "inverse": place.argsort()} if order else {}
        found |= {name: torch.tensor(value) for name, value in normalisation or ()}
        for name, tensor in found.items():
            self.register_buffer(name, tensor, persistent=False)

    def enter(self, poses2d: Tensor) -> Tensor:
        """(B, F, J, channels) in our order, screen units -> as the network has it."""
        if self.root_relative:
            poses2d = of_the_person(poses2d)
        if self.ordered:
            poses2d = poses2d[:, :, self.order]
        return (poses2d - self.mean_2d) / self.std_2d if self.normalised else poses2d

    def leave(self, poses: Tensor) -> Tensor:
        """(B, f, J, 3) as the network has it -> in our order, metres."""
        if self.normalised:
            poses = poses * self.std_3d + self.mean_3d
        return poses[:, :, self.inverse] if self.ordered else poses


def of_the_person(poses2d: Tensor) -> Tensor:
    """(B, F, J, channels), screen units -> x, y from the frame's root, over the person's size.

    The size is the root mean square of the distances from the root, over the joints and frames of
    the window: neither the focal length, nor the distance, nor the size of the image changes what
    the network is shown. A confidence stays.
    """
    points = poses2d[..., :2] - poses2d[:, :, ROOT, None, :2]
    size = points.square().sum(dim=-1).mean(dim=(1, 2)).clamp(min=SMALLEST).sqrt()  # (B,)
    points = points / size[:, None, None, None]
    return torch.cat((points, poses2d[..., 2:]), dim=-1)

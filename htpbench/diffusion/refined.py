"""A whole prediction of DiffPose: its lifter, then its graph network on every frame."""

from __future__ import annotations

import torch
from torch import Tensor

from htpbench.diffusion.graph import Graph
from htpbench.diffusion.refine import refine
from htpbench.diffusion.whole import Whole
from htpbench.motion.skeleton import flip
from htpbench.network.lifter import Lifter


class Refined(Whole):
    """Clips (B, F, J, 2) -> (B, f, J, 3) metres from the root, of the frames that the lifter gives.

    The lifter's poses, with `augment` the mean of the clip's and its mirror image's, are refined
    frame by frame (`steps` and `calls` as of `refine`). The graph network is of the paper's size
    and has fresh weights: it stands where a lifter stands when time is measured.
    """

    def __init__(
        self, lifter: Lifter, augment: bool = True, steps: int = 6, calls: int = 1
    ) -> None:
        super().__init__(lifter, augment)
        self.refiner, self.how = Graph(), (steps, calls)

    def example(self, batch: int = 1, device: str = "cpu") -> tuple[Tensor, ...]:
        """A random 2D clip."""
        return self.lifter.example(batch, device)

    def forward(self, poses2d: Tensor) -> Tensor:
        """The refined poses."""
        lifted = self.lifter(poses2d)
        poses = lifted.poses
        if self.augment:
            replay = lifted.kept if self.centred else None
            poses = (poses + flip(self.lifter(flip(poses2d), replay=replay).poses)) / 2
        seen = poses2d.take_along_dim(lifted.frames[..., None, None], dim=1)  # (B, f, J, 2)
        joined = torch.cat((seen, poses), dim=-1).flatten(0, 1)  # (B f, J, 5)
        found = refine(self.refiner, joined, *self.how)[..., 2:].view_as(poses)
        return found - found[..., :1, :]

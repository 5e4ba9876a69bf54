"""DiffPose's refinement of lifted poses, frame by frame (its section 3.3 and its video code)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from htpbench.diffusion.schedule import linear_on, step_back


def refine(refiner: nn.Module, frames: Tensor, steps: int = 6, calls: int = 1) -> Tensor:
    """(N, J, 5) -> (N, J, 5): (u, v, x, y, z) after `calls` DDIM steps back from `steps`.

    The video version takes 6 and 1, the frame version 24 and 2. Nothing is random: the official
    code starts from the lifted pose itself and adds no noise to it.
    """
    shares = linear_on(frames.device)
    schedule = list(range(0, steps, steps // calls))
    for now, then in zip(schedule[::-1], [*schedule[-2::-1], -1], strict=True):
        when = torch.full((len(frames),), now, device=frames.device)  # (N,)
        error = refiner(frames, when)
        clean = (frames - (1 - shares[now]).sqrt() * error) / shares[now].sqrt()
        frames = step_back(clean, error, shares[now], shares[then], 0.0, None)
    return frames

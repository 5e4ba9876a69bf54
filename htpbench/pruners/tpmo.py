"""Token pruning motion (H2OT, section 3.1.3)."""

from __future__ import annotations

import torch
from torch import Tensor

from htpbench.errors import unknown
from htpbench.network.contracts import Pruner, View
from htpbench.network.positions import top

RULES = ("absolute", "printed")


class TPMo(Pruner):
    """Keeps the r frames whose 2D pose has moved most since the frame before.

    The motion of a frame (Eq. 4) is its pose less that of the neighbour before it among the frames
    still present, over x and y of all joints; confidence is no motion. After earlier prunings that
    neighbour may be several frames back, and the motion is not divided by the time between, as
    printed. The motion of the first frame is 0, as printed.

    rule "absolute": sum_j |M_ij|; the first frame is among the first to go.
    rule "printed": sum_j M_ij as section 3.1.3 prints it, signs and all: joints that move apart
    cancel, moving right or down ranks above standing still, moving left or up below it.
    """

    def __init__(self, rule: str = "absolute") -> None:
        if rule not in RULES:
            raise unknown("rule of tpmo", rule, RULES)
        self.rule = rule

    def select(self, view: View, r: int) -> Tensor:
        """See Pruner; the centre of seq2frame is forced and r - 1 others are chosen."""
        poses = view.poses[..., :2].flatten(2)  # (B, n, 2 J)
        return top(self.motion(poses), r, view.keep)

    def motion(self, poses: Tensor) -> Tensor:
        """(B, n, 2 J) -> (B, n): how far each frame has moved since the one before."""
        moved = poses.diff(dim=1)  # (B, n - 1, 2 J)
        moved = (moved.abs() if self.rule == "absolute" else moved).sum(dim=-1)  # (B, n - 1)
        return torch.cat((torch.zeros_like(poses[:, :1, 0]), moved), dim=1)  # (B, n)

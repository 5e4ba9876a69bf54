"""Token pruning attention (H2OT, section 3.1.2)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from htpbench.errors import unknown
from htpbench.network.contracts import Pruner, View
from htpbench.network.positions import top

RULES = ("received", "printed")


class TPA(Pruner):
    """Keeps the r frames that receive most attention in the block about to run.

    rule "received": column sums of the block's temporal attention (Eq. 3), mean over queries,
    heads, S and streams.
    rule "printed": sum_j alpha_ij as section 3.1.2 prints it. A row of a softmax sums to 1, so
    that every frame scores 1 and the lower positions win: the first r frames, whatever is in them.
    """

    needs: ClassVar[frozenset[str]] = frozenset({"attention"})

    def __init__(self, rule: str = "received") -> None:
        if rule not in RULES:
            raise unknown("rule of tpa", rule, RULES)
        self.rule = rule

    @torch.no_grad()  # positions have no gradient; without it training would hold the attention
    def select(self, view: View, r: int) -> Tensor:
        """See Pruner; the centre of seq2frame is forced and r - 1 others are chosen."""
        received = view.received()  # (B, n)
        scores = received if self.rule == "received" else torch.ones_like(received)
        return top(scores, r, view.keep)

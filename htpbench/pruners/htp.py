"""Hierarchical temporal pruning: TCEP first, then MGPTP; a reconstruction (docs/htp.md)."""

from __future__ import annotations

from torch import Tensor

from htpbench.network.contracts import Pruner, View
from htpbench.pruners.mgptp import MGPTP
from htpbench.pruners.tcep import TCEP


class HTP(Pruner):
    """TCEP at the first stage, MGPTP at the later ones; the options are theirs."""

    needs = MGPTP.needs

    def __init__(
        self,
        n: int = 8,
        correlation: str = "both",
        score: str = "diverse",
        coverage: int = 1,
        of: str = "tokens",
        edges: int = 0,
        gamma: float = 0.5,
    ) -> None:
        self.first = TCEP(n, correlation, score, coverage, of, edges)
        self.later = MGPTP(gamma)
        self.edges = self.first.edges

    def select(self, view: View, r: int) -> Tensor:
        """See Pruner."""
        return (self.later if view.stage else self.first).select(view, r)

    def links(self, view: View) -> Tensor | None:
        """See Pruner."""
        return (self.later if view.stage else self.first).links(view)

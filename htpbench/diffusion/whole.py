"""What makes a prediction of several calls of a lifter, and stands where a lifter stands."""

from __future__ import annotations

from torch import nn

from htpbench.network.lifter import Lifter, Span


class Whole(nn.Module):
    """A lifter with what goes around it; `augment`: also the mirror image, as official tests do.

    What times lifters times this: it has their frames, the spans of their passes and an example.
    """

    def __init__(self, lifter: Lifter, augment: bool = True) -> None:
        super().__init__()
        self.lifter, self.augment = lifter, augment
        self.frames, self.recovered, self.centred = lifter.frames, lifter.recovered, lifter.centred

    @property
    def span(self) -> Span:
        """The lifter's: what a meter times inside each call."""
        return self.lifter.span

    @span.setter
    def span(self, span: Span) -> None:
        self.lifter.span = span

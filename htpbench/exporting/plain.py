"""A lifter as engines take it: tensors in, tensors out, any number of clips at once."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from htpbench.network.lifter import Lifter

BATCH = 2  # clips of the example: one would be taken for a constant


class Plain(nn.Module):
    """Inputs -> poses (B, f, J, 3), their frames (B, f), and those (B, r) that each stage kept."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter.eval()

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        found = self.lifter(*inputs)
        return (found.poses, found.frames, *found.kept)


def outputs(lifter: Lifter) -> list[str]:
    """What comes out is called."""
    return ["poses3d", "frames", *(f"kept{stage}" for stage in range(len(lifter.schedule)))]


def asked(lifter: Lifter) -> tuple[Plain, tuple[Tensor, ...], dict[str, Any]]:
    """What exporters take: the network, an example, and that its batch is any."""
    inputs = lifter.example(BATCH)
    shapes = {"inputs": tuple({0: Dim("batch", min=1)} for _ in inputs)}
    return Plain(lifter), inputs, shapes


def traced(lifter: Lifter) -> ExportedProgram:
    """The lifter as a graph of torch's own operations, of any batch."""
    plain, inputs, shapes = asked(lifter)
    with torch.no_grad():
        return torch.export.export(plain, inputs, dynamic_shapes=shapes, strict=False)

"""Eager: torch, operation by operation; what all other engines are measured against."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from htpbench.engines import Call, Engine

if TYPE_CHECKING:
    from torch import Tensor, nn

    from htpbench.network.lifter import Lifter


class Eager(Engine):
    """torch, operation by operation.

    bfloat16 and float16: matrix products alone, as autocast chooses.
    """

    precisions = ("float32", "bfloat16", "float16")
    devices = ("cpu", "cuda")

    def prepare(self, lifter: Lifter, precision: str) -> Call:
        """See Engine."""
        from htpbench.exporting.plain import Plain

        return partial(cast, Plain(lifter), precision)


def cast(network: nn.Module, precision: str, *inputs: Tensor) -> tuple[Tensor, ...]:
    """A call in a precision; poses come out in float32."""
    import torch

    device = inputs[0].device.type
    with torch.autocast(device, getattr(torch, precision), enabled=precision != "float32"):
        poses, *rest = network(*inputs)
    return (poses.float(), *rest)

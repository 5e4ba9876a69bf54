"""Sampling: what a whole prediction of a diffusion lifter costs, which is more than one call.

H hypotheses, K calls each, twice with flip augmentation; or one pass, twice with it, and what
refines its poses. Published figures are those of one call.
"""

from __future__ import annotations

from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from htpbench.diffusion.refined import Refined
from htpbench.diffusion.sampler import HypothesisSampler
from htpbench.measuring.counting import everything_counter, freeze, published_counter
from htpbench.network.lifter import Lifter


def counts(whole: HypothesisSampler | Refined) -> list[int]:
    """Calls of a whole prediction, their operations as the papers count and all, a training step's.

    Operations are those of one call, times the calls: a call costs the same for each hypothesis.
    What refines poses is in all operations and not among those that the papers count; its training
    is not built, so that there is no step's.
    """
    published, flops = call(whole.lifter)
    if isinstance(whole, Refined):
        calls = 1 + whole.augment
        return [calls, calls * published, everything(whole)]
    calls = whole.sampling.calls(whole.augment)
    return [calls, calls * published, calls * flops, training(whole.lifter)]


def everything(whole: Refined) -> int:
    """All operations of a whole prediction of one clip."""
    frozen = freeze(whole)
    with everything_counter() as counter:
        frozen(*frozen.example(device="meta"))
    return int(counter.get_total_flops())


def call(lifter: Lifter) -> tuple[int, int]:
    """Operations of one call on one clip: as the papers count them, and all."""
    frozen = freeze(lifter)
    with published_counter(frozen) as macs, everything_counter() as counter:
        frozen(*frozen.example(device="meta"))
    return 2 * sum(macs), int(counter.get_total_flops())


class Operations(TorchDispatchMode):
    """Counts as torch's FlopCounterMode does, which trips over modules that are trained."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func.overloadpacket)
        if count is not None:
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        return out


def training(lifter: Lifter) -> int:
    """Operations of one training step on one clip: forward, and backward for every parameter."""
    copied = freeze(lifter).train().requires_grad_(True)
    inputs = copied.example(device="meta")
    with sdpa_kernel(SDPBackend.MATH), Operations() as operations:
        copied(*inputs).poses.norm(dim=-1).mean().backward()
    return operations.flops

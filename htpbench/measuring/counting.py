"""Cost: parameters and operations of one forward pass at batch 1, in conventions with names.

* `flops_published`: the papers' convention, 2 x what module hooks see (attention products, norms
  and selection are not in it);
* `flops`: everything, 2 per multiply-add, attention included (torch.utils.flop_counter);
* `macs_fvcore`, `macs_ptflops`: multiply-adds by those libraries, attention handled.

All four count a frozen copy on the `meta` device: nothing is computed.
"""

from __future__ import annotations

import copy
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from htpbench.network.build import build
from htpbench.network.lifter import Lifter
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination

HOOKED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.LeakyReLU)
Network = TypeVar("Network", bound=nn.Module)
TOLERANCE = 0.01  # counters that should agree: flops / 2, fvcore and ptflops


def count(combination: Combination) -> list[Measurement]:
    """The cost of a combination that is built for it alone."""
    with torch.device("meta"):
        return measure(build(combination))


def measure(lifter: Lifter) -> list[Measurement]:
    """All cost measurements of one lifter."""
    inputs = lifter.example(device="meta")
    frozen = freeze(lifter)
    params = sum(parameter.numel() for parameter in lifter.parameters())
    # One traced pass serves three counters; passes on meta are slow in Python, not in arithmetic.
    with published_counter(frozen) as published, everything_counter() as everything:
        fvcore, norms, unsupported = count_fvcore(frozen, inputs)
    flops = int(everything.get_total_flops())
    ptflops = count_ptflops(freeze(lifter), inputs)  # leaves its hooks behind
    counts = {"flops / 2": flops / 2, "fvcore": fvcore, "ptflops": ptflops}
    note = disagreement(counts, norms, unsupported)
    return [
        Measurement("cost.params", params),
        Measurement("cost.flops_published", 2 * sum(published)),
        Measurement("cost.flops", flops, note=note),
        Measurement("cost.macs_fvcore", fvcore, note=note),
        Measurement("cost.macs_ptflops", ptflops, note=note),
    ]


def freeze(network: Network) -> Network:
    """A copy on meta in eval mode whose parameters need no gradient (counters trip over them)."""
    return copy.deepcopy(network).to("meta").eval().requires_grad_(False)


@contextmanager
def published_counter(lifter: Lifter) -> Iterator[list[int]]:
    """Collects the multiply-adds that an early module-hook counter saw (see docs/cost.md).

    Linear: in x outputs; convolutions: outputs x (in / groups x kernel + bias); BatchNorm: 2 an
    element; LeakyReLU: 1. A head for training alone is counted too, as the papers' hooks saw it.
    A pruner or recoverer with `published_macs` answers for everything inside it. What a pruner has
    the backbone compute (attention to read) is part of its choice, which was not counted.
    """
    counted: list[int] = []
    inside: list[str] = []  # names of the lifter's open spans
    backbone = set(lifter.backbone.modules())
    silent: set[nn.Module] = set()
    for part in (lifter.pruner, lifter.recoverer):
        published_macs = getattr(part, "published_macs", None)
        if published_macs is not None:
            counted.append(published_macs(lifter.shapes()))
            silent |= set(part.modules()) if isinstance(part, nn.Module) else set()

    @contextmanager
    def span(name: str) -> Iterator[None]:
        inside.append(name)
        yield
        inside.pop()

    def hook(module: nn.Module, args: Any, output: Tensor) -> None:
        if "prune" in inside and module in backbone:
            return
        if isinstance(module, nn.Linear):
            counted.append(module.in_features * int(output.numel()))
        elif isinstance(module, nn.Conv1d | nn.Conv2d):
            window = module.in_channels // module.groups * math.prod(module.kernel_size)
            counted.append(int(output.numel()) * (window + (module.bias is not None)))
        else:
            counted.append((1 if isinstance(module, nn.LeakyReLU) else 2) * int(output.numel()))

    handles = [
        module.register_forward_hook(hook)
        for module in lifter.modules()
        if isinstance(module, HOOKED) and module not in silent
    ]
    before, lifter.span = lifter.span, span
    try:
        lifter.backbone.auxiliary(entering_head(lifter))
        yield counted
    finally:
        lifter.span = before
        for handle in handles:
            handle.remove()


def entering_head(lifter: Lifter) -> Tensor:
    """(1, f, S, C) on `meta`: as many tokens as the head is given."""
    f = lifter.schedule[-1][0] if lifter.schedule else lifter.frames
    if lifter.recoverer is not None and lifter.recoverer.where == "tokens":
        f = lifter.recovered
    return torch.empty(1, f, lifter.backbone.stacked, lifter.backbone.width, device="meta")


@contextmanager
def everything_counter() -> Iterator[FlopCounterMode]:
    """Attention runs as plain products, which the counter sees on every device."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        yield counter


def attention_macs(inputs: list[Any], outputs: list[Any]) -> int:
    """Multiply-adds of Q K^T and A V, for fvcore, which has no handler of its own."""
    (*batch, queries, width), (*_, keys, _) = (value.type().sizes() for value in inputs[:2])
    return 2 * math.prod(batch) * queries * keys * width


def count_fvcore(lifter: Lifter, inputs: tuple[Tensor, ...]) -> tuple[int, int, list[str]]:
    """Multiply-adds by fvcore (it calls them flops), those of norms, and operators not counted."""
    with quiet():
        from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(Poses(lifter), inputs)
    analysis.set_op_handle("aten::scaled_dot_product_attention", attention_macs)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    with quiet(), ConvolutionsAsProducts():
        by_operator = analysis.by_operator()
        norms = sum(count for name, count in by_operator.items() if "norm" in name)
        return int(analysis.total()), int(norms), sorted(analysis.unsupported_ops())


class ConvolutionsAsProducts(TorchFunctionMode):
    """On meta, tracing trips over torch's own checks of convolutions; a product counts the same."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func not in (torch.conv1d, torch.conv2d):
            return func(*args, **(kwargs or {}))
        # as nn.Conv1d and nn.Conv2d call them
        x, weight, bias, strides, paddings, dilations, groups = args
        axes = range(2, weight.ndim)
        x = functional.pad(x, [one for padding in reversed(paddings) for one in (padding, padding)])
        for axis, stride, dilation in zip(axes, strides, dilations, strict=True):
            reach = dilation * (weight.shape[axis] - 1) + 1
            x = x.unfold(axis, reach, stride)[..., ::dilation]
        grouped = x.unflatten(1, (groups, -1)), weight.unflatten(0, (groups, -1))
        places, window = "lm"[: len(axes)], "kq"[: len(axes)]
        out = torch.einsum(f"ngi{places}{window},goi{window}->ngo{places}", *grouped).flatten(1, 2)
        return out if bias is None else out + bias.reshape(-1, *[1] * len(axes))


def count_ptflops(lifter: Lifter, inputs: tuple[Tensor, ...]) -> int:
    """Multiply-adds by ptflops' aten back end, attention as plain products."""
    with quiet(), sdpa_kernel(SDPBackend.MATH), redirect_stdout(StringIO()):
        from ptflops import get_model_complexity_info

        macs, _ = get_model_complexity_info(
            Unpacked(lifter),
            (1,),
            input_constructor=lambda _: {"inputs": inputs},
            as_strings=False,
            print_per_layer_stat=False,
            verbose=False,
            backend="aten",
        )
    if not isinstance(macs, int):
        raise RuntimeError("ptflops could not count this lifter")
    return macs


class Poses(nn.Module):
    """A lifter that returns poses alone: counters trace tensors, not named tuples."""

    def __init__(self, lifter: Lifter) -> None:
        super().__init__()
        self.lifter = lifter

    def forward(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, channels), ... -> (B, f, J, 3)."""
        return self.lifter(*inputs).poses


class Unpacked(Poses):
    """ptflops passes keywords alone."""

    def forward(self, inputs: tuple[Tensor, ...]) -> Tensor:  # type: ignore[override]
        """See Poses."""
        return super().forward(*inputs)


@contextmanager
def quiet() -> Iterator[None]:
    """Neither warnings nor log lines of the counting libraries."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def disagreement(counts: dict[str, float], norms: int, unsupported: list[str]) -> str | None:
    """What to say when counters differ by more than the tolerance: who counted what."""
    low, high = min(counts.values()), max(counts.values())
    if high <= low * (1 + TOLERANCE):
        return None
    said = ", ".join(f"{name} {value / 1e9:.4g} G" for name, value in counts.items())
    left_out = ", ".join(name.removeprefix("aten::") for name in unsupported)
    return (
        f"counters differ: {said}; fvcore counts norms as well ({norms / 1e9:.4g} G) "
        f"but not {left_out or 'anything else'}"
    )

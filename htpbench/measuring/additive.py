"""The cost of many schedules of one backbone: each part is traced once for each shape it meets.

What a part costs depends on the shapes that enter it, so the cost of a network is that of its
blocks at their lengths, of embedding and head, of each pruning and of recovering. The lifter itself
runs on `meta`; a part that met the same shapes before is not run again: its count and the shape it
returned are remembered. So the counts are those of `cost.measure`, to the last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from htpbench.errors import BenchError
from htpbench.measuring.counting import everything_counter, freeze, published_counter
from htpbench.network.build import build, build_pruner, build_recoverer
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import Combination

METRICS = ("cost.params", "cost.flops_published", "cost.flops")


class Costs:
    """Costs of the combinations of one backbone, variant and F.

    BenchError where lengths own parameters: such a network is another one for each schedule.
    """

    def __init__(self, base: Combination) -> None:
        self.base = base.unpruned
        with torch.device("meta"):
            lifter = freeze(build(self.base))
        self.backbone, self.inputs = lifter.backbone, lifter.example(device="meta")
        self.conventions = lifter.conventions
        if self.backbone.per_length:
            raise BenchError(f"{base.backbone} owns lengths: measure each combination's cost")
        self.known: dict[tuple, tuple[tuple[int, int], Tensor]] = {}
        self.counts: Callable[[], tuple[int, int]] = lambda: (0, 0)
        self.spared = (0, 0)
        self.parameters = sum(one.numel() for one in lifter.parameters())
        self.once(self.backbone, "embed", "backbone")
        self.once(self.backbone, "head", "backbone")
        for index, block in enumerate(self.backbone.blocks):
            self.once(block, "forward", index)

    def of(self, combination: Combination, pipeline: str | None = None) -> dict[str, int]:
        """METRICS of one combination, as `cost.measure` counts them."""
        if combination.unpruned != self.base:
            raise BenchError(f"{combination}: expected a combination of {self.base}")
        lifter = self.assemble(combination, pipeline)
        own = sum(one.numel() for one in lifter.recoverer.parameters()) if lifter.recoverer else 0
        with published_counter(lifter) as published, everything_counter() as counter:
            self.counts = lambda: (sum(published), counter.get_total_flops())
            self.spared = (0, 0)
            lifter(*self.inputs)
            macs, flops = added(self.counts(), self.spared)
        return dict(zip(METRICS, (self.parameters + own, 2 * macs, flops), strict=True))

    def assemble(self, combination: Combination, pipeline: str | None) -> Lifter:
        """A lifter around the one backbone, all on meta."""
        pruner = build_pruner(combination.pruner) if combination.pruner else None
        recoverer, kept = None, [r for r, _ in combination.schedule]
        if combination.recoverer:
            parts = combination.recoverer, combination.frames, kept, self.backbone
            with torch.device("meta"):
                recoverer = build_recoverer(*parts).eval().requires_grad_(False)
            self.once(recoverer, "mark", combination.recoverer)
            self.once(recoverer, "forward", combination.recoverer)
        if pruner:
            self.once(pruner, "select", combination.pruner)
        centred = combination.pipeline(pipeline) == "seq2frame"
        return Lifter(
            self.backbone,
            combination.frames,
            pruner,
            combination.schedule,
            recoverer,
            combination.recovered,
            centred,
            conventions=self.conventions,
        ).eval()

    def once(self, part: Any, method: str, name: Any) -> None:
        """Let a method of a part run once for each shape; then its count stands for it."""
        run = getattr(part, method)

        def remembered(*arguments: Any, **named: Any) -> Tensor:
            key = name, method, *map(seen, arguments), *map(seen, named.values())
            if key in self.known:
                count, returned = self.known[key]
                self.spared = added(self.spared, count)
                return returned
            before = self.counts()
            returned = run(*arguments, **named)
            macs, flops = self.counts()
            self.known[key] = (macs - before[0], flops - before[1]), returned
            return returned

        setattr(part, method, remembered)


def seen(argument: Any) -> Any:
    """All that a part can know on meta: the shape of a tensor, the stage of a view, a number."""
    if isinstance(argument, Tensor):
        return argument.shape
    if hasattr(argument, "tokens"):  # a View
        return argument.tokens.shape, argument.block, argument.stage, argument.keep is None
    return argument


def added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """Two pairs of counts."""
    return one[0] + other[0], one[1] + other[1]


def ranked(
    combinations: Iterable[Combination], metric: str = "cost.flops", pipeline: str | None = None
) -> list[tuple[int, Combination]]:
    """Combinations of any backbones, the cheapest first; a tie keeps the order given."""
    costs: dict[Combination, Costs] = {}
    counted = []
    for one in combinations:
        if one.unpruned not in costs:
            costs[one.unpruned] = Costs(one)
        counted.append((costs[one.unpruned].of(one, pipeline)[metric], one))
    return sorted(counted, key=lambda pair: pair[0])

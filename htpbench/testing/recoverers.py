"""The contract of recoverers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor

from htpbench.network.contracts import Recoverer
from htpbench.network.positions import even_positions
from htpbench.network.token_state import chosen
from htpbench.testing.drawn import BATCH, close, noise, some


class RecovererContract:
    """A recoverer for schedules and for any schedule. Set `recoverer`, and `options` if any.

    exact: the frames that were kept come out as they went in.
    """

    recoverer: type[Recoverer]
    options: ClassVar[dict[str, Any]] = {}
    exact: ClassVar[bool] = False
    frames: ClassVar[int] = 27
    ranks: ClassVar[tuple[int, ...]] = (15, 9)
    stacked: ClassVar[int] = 17
    width: ClassVar[int] = 16

    def build(self, ranks: tuple[int, ...] | None) -> Recoverer:
        """A fresh recoverer in eval mode; ranks = None serves any schedule."""
        torch.manual_seed(0)
        listed = None if ranks is None else list(ranks)
        cls = self.recoverer
        return cls(self.frames, listed, self.stacked, self.width, **self.options).eval()

    def kept(self, r: int) -> Tensor:
        """(B, r): other frame numbers in each clip."""
        return some(self.frames, r, seed=r)

    def x(self, r: int) -> Tensor:
        """(B, r, S, C) tokens or (B, r, J, 3) poses, as `where` says."""
        width = self.width if self.recoverer.where == "tokens" else 3
        return noise(BATCH, r, self.stacked, width)

    def recover(
        self,
        recoverer: Recoverer,
        x: Tensor,
        kept: Tensor,
        wanted: Tensor,
        clips: slice = slice(None),
    ) -> Tensor:
        """Some clips of x at the frame numbers `wanted`, with the early tokens where needed."""
        needed = {}
        if "early" in recoverer.needs:
            early = noise(BATCH, self.frames, self.stacked, self.width, seed=1).to(x.device)
            needed["early"] = early[clips][:, wanted]
        return recoverer(x[clips], kept[clips], wanted, **needed)

    def cases(self) -> Iterator[tuple[Recoverer, int]]:
        """For the ranks, and for any schedule down to a single frame."""
        yield self.build(self.ranks), self.ranks[-1]
        for r in (self.frames - 1, 5, 1):
            yield self.build(None), r

    @torch.no_grad()
    def test_full_length_or_what_is_asked(self) -> None:
        """F frames, or f < F evenly spaced ones, the same values in both."""
        assert self.recoverer.where in ("tokens", "poses")
        for recoverer, r in self.cases():
            x, kept = self.x(r), self.kept(r)
            whole = self.recover(recoverer, x, kept, torch.arange(self.frames))
            assert whole.shape == (BATCH, self.frames, *x.shape[2:]), f"gave {whole.shape}"
            assert whole.isfinite().all() and whole.dtype == x.dtype
            for f in (1, 9):
                wanted = even_positions(self.frames, f)
                close(self.recover(recoverer, x, kept, wanted), whole[:, wanted], f"f = {f} of F")
            if self.exact:
                back = chosen(whole, kept)
                assert back.equal(x), "kept frames changed, but exact = True"

    @torch.no_grad()
    def test_each_clip_alone_gives_the_same(self) -> None:
        """The other clips of a batch do not matter; two calls are equal."""
        for recoverer, r in self.cases():
            x, kept, wanted = self.x(r), self.kept(r), torch.arange(self.frames)
            together = self.recover(recoverer, x, kept, wanted)
            assert self.recover(recoverer, x, kept, wanted).equal(together), "two calls differ"
            for i in range(BATCH):
                alone = self.recover(recoverer, x, kept, wanted, slice(i, i + 1))
                close(alone, together[i : i + 1], f"clip {i} alone")

    @torch.no_grad()
    def test_mark_keeps_the_shape(self) -> None:
        """At every stage, for the ranks and for any schedule."""
        for ranks in (self.ranks, None):
            recoverer = self.build(ranks)
            for stage, r in enumerate(self.ranks):
                tokens = noise(BATCH, r, self.stacked, self.width)
                marked = recoverer.mark(tokens, self.kept(r), stage)
                assert marked.shape == tokens.shape, f"stage {stage}: {marked.shape}"

    def test_parameters_learn(self) -> None:
        """Marking and recovering give every parameter a gradient."""
        for ranks in (self.ranks, None):
            recoverer, learned = self.build(ranks), 0.0
            for stage, r in enumerate(self.ranks):
                tokens = noise(BATCH, r, self.stacked, self.width, seed=stage)
                learned = learned + recoverer.mark(tokens, self.kept(r), stage).square().sum()
            r = self.ranks[-1]
            learned = (
                learned
                + self.recover(recoverer, self.x(r), self.kept(r), torch.arange(self.frames))
                .square()
                .sum()
            )
            for name, parameter in recoverer.named_parameters():
                (gradient,) = torch.autograd.grad(learned, parameter, retain_graph=True)
                assert gradient.any(), f"{name} gets no gradient"

    def test_costs_can_be_counted(self) -> None:
        """Builds and runs on `meta`."""
        with torch.device("meta"):
            recoverer, wanted = self.build(self.ranks), torch.arange(self.frames)
        r = self.ranks[-1]
        found = self.recover(recoverer, self.x(r).to("meta"), self.kept(r).to("meta"), wanted)
        assert found.shape[:2] == (BATCH, self.frames)

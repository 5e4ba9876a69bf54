"""The contract of pruners."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from htpbench.network.contracts import Pruner, View
from htpbench.testing.drawn import BATCH, noise, some


class PrunerContract:
    """A pruner as the lifter relies on it. Set `pruner`; `select` is called with n of F frames."""

    pruner: Pruner
    frames: ClassVar[int] = 27  # F
    present: ClassVar[int] = 15  # n

    def view(self, seed: int = 0, keep: bool = False) -> View:
        """A random view."""
        centre = torch.full((BATCH,), (self.frames - 1) // 2)
        kept = some(self.frames, self.present, seed, centre)
        return View(
            tokens=noise(BATCH, self.present, 17, 16, seed=seed),
            poses2d=noise(BATCH, self.frames, 17, 2, seed=seed + 1),
            kept=kept,
            block=1,
            stage=0,
            keep=(kept == centre[:, None]).int().argmax(dim=1) if keep else None,  # (B,)
            summary=lambda tokens: tokens.mean(dim=2),
            attention=self.attention,
        )

    def attention(self, tokens: Tensor) -> Tensor:
        """(B, n): stands in for a block's received attention; refused where it is not declared."""
        assert "attention" in self.pruner.needs, 'reads received() without needs = {"attention"}'
        return tokens.mean(dim=(2, 3)).softmax(dim=1)

    def views(self) -> Iterator[tuple[View, int]]:
        """Views with and without a frame to keep, each with several r."""
        for keep in (False, True):
            for r in (1, 2, 7, self.present - 1):
                yield self.view(keep=keep), r

    def test_positions_are_sorted_unique_and_allowed(self) -> None:
        """(B, r) int64 within 0 ... n - 1, `keep` among them; r = 1 to n - 1."""
        for view, r in self.views():
            found = self.pruner.select(view, r)
            said = f"r = {r}, keep {view.keep}: {found}"
            assert found.shape == (BATCH, r), f"expected shape {(BATCH, r)}; {said}"
            assert found.dtype == torch.int64, f"expected int64; {said}"
            assert ((found >= 0) & (found < self.present)).all(), f"out of range; {said}"
            assert (found.diff(dim=1) > 0).all(), f"not rising; {said}"
            if view.keep is not None:
                assert (found == view.keep[:, None]).any(dim=1).all(), f"keep is lost; {said}"

    def test_same_view_same_positions(self) -> None:
        """Random numbers decide nothing, and the view is left as it was."""
        for view, r in self.views():
            before = view.tokens.clone()
            torch.manual_seed(0)
            first = self.pruner.select(view, r)
            torch.manual_seed(1)
            assert self.pruner.select(view, r).equal(first), "two calls differ"
            assert view.tokens.equal(before), "the tokens were changed in place"

    def test_each_clip_alone_keeps_the_same(self) -> None:
        """The other clips of a batch do not matter."""
        for view, r in self.views():
            together = self.pruner.select(view, r)
            for i in range(BATCH):
                parts = {
                    field.name: value[i : i + 1]
                    for field in fields(view)
                    if isinstance(value := getattr(view, field.name), Tensor)
                }
                alone = self.pruner.select(replace(view, **parts), r)
                assert alone.equal(together[i : i + 1]), f"clip {i} alone keeps other frames"

    def test_static_positions_do_not_depend_on_content(self) -> None:
        """Only for pruners that declare static = True."""
        if not self.pruner.static:
            pytest.skip("not static")
        view, other = self.view(), self.view(seed=5)
        moved = replace(view, tokens=other.tokens, poses2d=other.poses2d)
        assert self.pruner.select(view, 7).equal(self.pruner.select(moved, 7))

    def test_shapes_are_static(self) -> None:
        """Runs on `meta`, where cost is counted: no shape may depend on values."""
        for view, r in self.views():
            parts = {
                field.name: value.to("meta")
                for field in fields(view)
                if isinstance(value := getattr(view, field.name), Tensor)
            }
            assert self.pruner.select(replace(view, **parts), r).shape == (BATCH, r)

    def test_links_are_a_graph(self) -> None:
        """(B, n, n) bool, symmetric, no frame linked to itself; only for pruners that have one."""
        links = self.pruner.links(self.view())
        if links is None:
            assert not self.pruner.edges, "edges = True without links"
            pytest.skip("no graph")
        assert links.shape == (BATCH, self.present, self.present) and links.dtype == torch.bool
        assert links.equal(links.transpose(1, 2)), "a link goes one way"
        assert not links.diagonal(dim1=1, dim2=2).any(), "a frame is linked to itself"

    def test_no_gradient_is_needed(self) -> None:
        """Training tokens and inference mode give the same positions."""
        view = self.view()
        with torch.inference_mode():
            expected = self.pruner.select(view, 7)
        trained = replace(view, tokens=view.tokens.clone().requires_grad_())
        assert self.pruner.select(trained, 7).equal(expected)

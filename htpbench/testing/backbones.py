"""The contract of backbones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from htpbench.network.contracts import Backbone, Block
from htpbench.network.lifter import Lifter
from htpbench.network.token_state import chosen
from htpbench.pruners.tps import TPS
from htpbench.testing.drawn import BATCH, close, noise, some


class BackboneContract:
    """A backbone that can be pruned before any block from `first` on. Set `backbone`, `variant`.

    idle: names of parameters that rightly receive no gradient.
    """

    backbone: type[Backbone]
    variant: dict[str, Any]  # small hyper-parameters, `blocks` among them
    frames: ClassVar[int] = 9
    kept: ClassVar[int] = 5
    first: ClassVar[int] = 0
    idle: ClassVar[frozenset[str]] = frozenset()

    def inputs(self) -> tuple[Tensor, ...]:
        """One batch; override for inputs of other names."""
        clip = BATCH, self.frames, 17
        known = {
            "poses2d": lambda: noise(*clip, self.backbone.channels),
            "noisy3d": lambda: noise(*clip, 3, seed=1),
            "time": lambda: torch.arange(BATCH) * 100,
        }
        assert set(self.backbone.inputs) <= known.keys(), "override `inputs` for the further inputs"
        return tuple(known[name]() for name in self.backbone.inputs)

    def build(self, schedule: tuple[tuple[int, int], ...] = ()) -> Lifter:
        """A lifter in eval mode around a fresh backbone."""
        kept, lengths, present = {b: r for r, b in schedule}, [], self.frames
        for block in range(self.variant["blocks"]):
            present = kept.get(block, present)
            lengths.append(present)
        torch.manual_seed(0)
        backbone = self.backbone(frames=self.frames, lengths=lengths, **self.variant)
        return Lifter(backbone, self.frames, TPS(), schedule).eval()

    def places(self) -> range:
        """Every b at which one can prune."""
        return range(self.first, self.variant["blocks"])

    def pruned(self) -> Iterator[Lifter]:
        """Unpruned, pruned once at every place, and pruned twice."""
        yield self.build()
        for block in self.places():
            yield self.build(((self.kept, block),))
        if len(self.places()) > 1:
            yield self.build(((self.kept, self.first), (1, self.places()[-1])))

    @torch.no_grad()
    def test_shapes_from_embed_to_head(self) -> None:
        """(B, F, S, C) after embed and every block, (B, F, D) summary, (B, F, J, 3) poses."""
        backbone = self.build().backbone
        tokens = backbone.embed(*self.inputs())
        expected = (BATCH, self.frames, backbone.stacked, backbone.width)
        assert tokens.shape == expected, f"embed gave {tokens.shape}, expected {expected}"
        assert len(backbone.blocks) == self.variant["blocks"]
        for index, block in enumerate(backbone.blocks):
            assert isinstance(block, Block), f"block {index} is no htpbench.network.contracts.Block"
            tokens = block(tokens)
            assert tokens.shape == expected, f"block {index} gave {tokens.shape}"
        summary = backbone.summary(tokens)
        assert summary.ndim == 3 and summary.shape[:2] == expected[:2], f"summary {summary.shape}"
        poses = backbone.head(tokens)
        assert poses.shape == (BATCH, self.frames, backbone.joints, 3), f"head {poses.shape}"
        assert poses.isfinite().all(), "poses are not finite"

    @torch.no_grad()
    def test_prunes_at_every_place(self) -> None:
        """One pose a kept frame, before whichever block from `first` on frames are pruned."""
        for lifter in self.pruned():
            left = lifter.schedule[-1][0] if lifter.schedule else self.frames
            poses = lifter(*self.inputs()).poses
            assert poses.shape[:2] == (BATCH, left), f"{lifter.schedule} gave {poses.shape}"

    @torch.no_grad()
    def test_runs_again_the_same(self) -> None:
        """Two passes in eval mode are equal."""
        lifter = self.build()
        torch.manual_seed(0)
        first = lifter(*self.inputs()).poses
        torch.manual_seed(1)
        assert lifter(*self.inputs()).poses.equal(first), "eval mode is random"

    @torch.no_grad()
    def test_each_clip_alone_gives_the_same(self) -> None:
        """The other clips of a batch do not matter, pruned or not."""
        for lifter in self.pruned():
            together = lifter(*self.inputs()).poses
            for i in range(BATCH):
                alone = lifter(*(part[i : i + 1] for part in self.inputs())).poses
                close(alone, together[i : i + 1], f"clip {i} alone, {lifter.schedule}")

    def test_parameters_learn(self) -> None:
        """Every parameter but the idle ones gets a gradient that is not zero throughout."""
        for lifter in (self.build(), self.build(((self.kept, self.places()[-1]),))):
            poses = lifter(*self.inputs()).poses
            (poses * noise(*poses.shape)).sum().backward()
            for name, parameter in lifter.backbone.named_parameters():
                learns = parameter.grad is not None and bool(parameter.grad.any())
                assert learns != (name in self.idle), f"{name}: gets a gradient is {learns}"

    @torch.no_grad()
    def test_masked_frames_are_not_looked_at(self) -> None:
        """Kept rows of a block with `allowed` equal the block on the kept frames alone.

        Blocks that serve one length: they are the same whatever the other frames hold.
        """
        backbone = self.build().backbone
        tokens = backbone.embed(*self.inputs())
        kept = some(self.frames, self.kept, seed=2)
        there = torch.zeros(BATCH, self.frames, dtype=torch.bool).scatter(1, kept, True)
        allowed = there[:, None]  # (B, 1, F)
        for index, block in enumerate(backbone.blocks[self.first :], self.first):
            masked = block(tokens, allowed)
            if backbone.per_length:
                other = block(torch.where(there[..., None, None], tokens, 9.0), allowed)
                expected = chosen(other, kept)
            else:
                expected = block(chosen(tokens, kept))
            close(chosen(masked, kept), expected, f"block {index}")

    @torch.no_grad()
    def test_each_frame_looks_where_it_may(self) -> None:
        """With `allowed` that let a frame look back alone, later frames change nothing."""
        backbone = self.build().backbone
        tokens = backbone.embed(*self.inputs())
        late = torch.arange(self.frames) >= self.frames // 2
        allowed = torch.ones(self.frames, self.frames).tril().bool().expand(BATCH, -1, -1)
        for index, block in enumerate(backbone.blocks[self.first :], self.first):
            other = torch.where(late[:, None, None], 9.0, tokens)
            found, changed = block(tokens, allowed), block(other, allowed)
            close(found[:, ~late], changed[:, ~late], f"block {index}")

    @torch.no_grad()
    def test_received_attention_is_shared_out(self) -> None:
        """Sums to 1 over frames, whatever frames there are; blocks without it may leave it out."""
        backbone = self.build().backbone
        tokens = backbone.embed(*self.inputs())
        blocks = [block for block in backbone.blocks if isinstance(block, Block)]
        readable = [block for block in blocks if type(block).received is not Block.received]
        if not readable:
            pytest.skip("no block has attention to read")
        for block in readable:
            for present in (tokens, tokens[:, ::2]):
                received = block.received(present)
                assert received.shape == present.shape[:2], f"received is {received.shape}"
                assert (received >= 0).all(), "attention below 0"
                close(received.sum(dim=1), torch.ones(BATCH), "sum of the received attention")

    def test_costs_can_be_counted(self) -> None:
        """Builds and runs on `meta`."""
        with torch.device("meta"):
            lifter = self.build(((self.kept, self.first),))
        with torch.no_grad():
            poses = lifter(*(part.to("meta") for part in self.inputs())).poses
        assert poses.shape == (BATCH, self.kept, lifter.backbone.joints, 3)

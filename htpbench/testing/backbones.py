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
from htpbench.recoverers.trc import TRC
from htpbench.testing.drawn import BATCH, close, noise, some


class BackboneContract:
    """A backbone that can be pruned before any block from `first` on. Set `backbone`, `variant`.

    What the class declares is tested: one that makes one pose of all frames, that needs them all at
    its head (frames are then recovered), that mixes neighbours (nothing is masked), without blocks.
    idle: names of parameters whose gradient is rightly nothing, or what rounding leaves of it.
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
        recoverer = None
        if schedule and backbone.dense and backbone.one_pose:
            recoverer = TRC(self.frames, None, backbone.stacked, backbone.width, heads=1)
        return Lifter(backbone, self.frames, TPS(), schedule, recoverer).eval()

    def left(self, lifter: Lifter) -> int:
        """How many poses come out."""
        if lifter.backbone.one_pose:
            return 1
        return lifter.schedule[-1][0] if lifter.schedule else self.frames

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
        every = torch.arange(self.frames).expand(BATCH, -1)
        poses = backbone.head(*((tokens, every) if backbone.one_pose else (tokens,)))  # type: ignore
        expected = (BATCH, self.left(self.build()), backbone.joints, 3)
        assert poses.shape == expected, f"head {poses.shape}"
        assert poses.isfinite().all(), "poses are not finite"

    @torch.no_grad()
    def test_prunes_at_every_place(self) -> None:
        """One pose a kept frame, or one, before whichever block from `first` on it is pruned."""
        for lifter in self.pruned():
            poses = lifter(*self.inputs()).poses
            expected = BATCH, self.left(lifter)
            assert poses.shape[:2] == expected, f"{lifter.schedule} gave {poses.shape}"

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
        last = [((self.kept, b),) for b in self.places()[-1:]]
        for lifter in map(self.build, ((), *last)):
            lifter.training = True  # a head for training speaks, and all layers are as they were
            lifted = lifter(*self.inputs())
            said = [lifted.poses] + ([lifted.auxiliary.poses] if lifted.auxiliary else [])
            sum((poses * noise(*poses.shape)).sum() for poses in said).backward()  # type: ignore
            for name, parameter in lifter.backbone.named_parameters():
                learns = parameter.grad is not None and bool(parameter.grad.any())
                assert learns or name in self.idle, f"{name}: gets no gradient"

    @torch.no_grad()
    def test_masked_frames_are_not_looked_at(self) -> None:
        """Kept rows of a block with `allowed` equal the block on the kept frames alone.

        Blocks that serve one length: they are the same whatever the other frames hold.
        """
        self.skip_where_neighbours_mix()
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
        self.skip_where_neighbours_mix()
        backbone = self.build().backbone
        tokens = backbone.embed(*self.inputs())
        late = torch.arange(self.frames) >= self.frames // 2
        allowed = torch.ones(self.frames, self.frames).tril().bool().expand(BATCH, -1, -1)
        for index, block in enumerate(backbone.blocks[self.first :], self.first):
            other = torch.where(late[:, None, None], 9.0, tokens)
            found, changed = block(tokens, allowed), block(other, allowed)
            close(found[:, ~late], changed[:, ~late], f"block {index}")

    def skip_where_neighbours_mix(self) -> None:
        """Such a backbone declares that no mask holds."""
        if self.backbone.mixes_frames:
            pytest.skip("blocks mix neighbouring frames")

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
            lifter = self.build(tuple((self.kept, b) for b in self.places()[:1]))
        with torch.no_grad():
            poses = lifter(*(part.to("meta") for part in self.inputs())).poses
        assert poses.shape == (BATCH, self.left(lifter), lifter.backbone.joints, 3)

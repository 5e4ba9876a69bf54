"""Contract tests that third parties subclass: what the lifter relies on, checked with pytest.

from htpbench.testing import PrunerContract

class TestMine(PrunerContract):
    pruner = Mine()
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

from htpbench.lifter import Lifter, widen
from htpbench.motion.clip import FRAME_RATE, SPLITS, Motion
from htpbench.motion.skeleton import JOINTS, LEFT, MIRROR, PARENTS
from htpbench.protocols import Backbone, Block, Pruner, Recoverer, View
from htpbench.pruners.tps import TPS
from htpbench.selection import even_positions, top

CLOSE = 1e-5
BATCH = 3


def some(n: int, r: int, seed: int, keep: Tensor | None = None) -> Tensor:
    """(BATCH, r): other sorted positions below n in each row, `keep` (BATCH,) among them."""
    return top(torch.rand(BATCH, n, generator=torch.Generator().manual_seed(seed)), r, keep)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers, the same for the same seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def close(found: Tensor, expected: Tensor, what: str) -> None:
    """Equal to 1e-5, or an AssertionError that says what was not."""
    torch.testing.assert_close(found, expected, atol=CLOSE, rtol=0, msg=lambda m: f"{what}: {m}")


class PrunerContract:
    """A pruner as the lifter relies on it. Set `pruner`; `select` is called with n of F frames."""

    pruner: Pruner
    frames: ClassVar[int] = 27  # F
    present: ClassVar[int] = 15  # n

    def view(self, seed: int = 0, keep: bool = False, masked: bool = False) -> View:
        """A random view; masked: five of the n frames are no longer alive."""
        centre = torch.full((BATCH,), (self.frames - 1) // 2)
        kept = some(self.frames, self.present, seed, centre)
        position = (kept == centre[:, None]).int().argmax(dim=1)  # (B,)
        alive = torch.zeros(kept.shape, dtype=torch.bool)
        alive.scatter_(1, some(self.present, self.present - 5, seed + 1, position), True)
        return View(
            tokens=noise(BATCH, self.present, 17, 16, seed=seed),
            poses2d=noise(BATCH, self.frames, 17, 2, seed=seed + 1),
            kept=kept,
            block=1,
            stage=0,
            keep=position if keep else None,
            alive=alive if masked else None,
            summary=lambda tokens: tokens.mean(dim=2),
            attention=self.attention,
        )

    def attention(self, tokens: Tensor, alive: Tensor | None) -> Tensor:
        """(B, n): stands in for a block's received attention; refused where it is not declared."""
        assert "attention" in self.pruner.needs, 'reads received() without needs = {"attention"}'
        scores = tokens.mean(dim=(2, 3))
        return (scores if alive is None else scores.masked_fill(~alive, -torch.inf)).softmax(dim=1)

    def views(self) -> Iterator[tuple[View, int]]:
        """Views with and without a frame to keep and a mask, each with several r."""
        for keep in (False, True):
            for masked in (False, True):
                view = self.view(keep=keep, masked=masked)
                most = self.present - 5 if masked else self.present - 1
                for r in (1, 2, 7, most):
                    yield view, r

    def test_positions_are_sorted_unique_and_allowed(self) -> None:
        """(B, r) int64 within 0 ... n - 1, `keep` among them, only alive ones; r = 1 to n - 1."""
        for view, r in self.views():
            found = self.pruner.select(view, r)
            said = f"r = {r}, keep {view.keep}, alive {view.alive}: {found}"
            assert found.shape == (BATCH, r), f"expected shape {(BATCH, r)}; {said}"
            assert found.dtype == torch.int64, f"expected int64; {said}"
            assert ((found >= 0) & (found < self.present)).all(), f"out of range; {said}"
            assert (found.diff(dim=1) > 0).all(), f"not rising; {said}"
            if view.keep is not None:
                assert (found == view.keep[:, None]).any(dim=1).all(), f"keep is lost; {said}"
            if view.alive is not None:
                assert view.alive.gather(1, found).all(), f"picks frames not alive; {said}"

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

    def test_no_gradient_is_needed(self) -> None:
        """Training tokens and inference mode give the same positions."""
        view = self.view()
        with torch.inference_mode():
            expected = self.pruner.select(view, 7)
        trained = replace(view, tokens=view.tokens.clone().requires_grad_())
        assert self.pruner.select(trained, 7).equal(expected)


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
        """One batch; override for backbones with more inputs than the 2D clip."""
        assert self.backbone.inputs == ("poses2d",), "override `inputs` for the further inputs"
        return (noise(BATCH, self.frames, 17, self.backbone.channels),)

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
        """Kept rows of a block with `keys` equal the block on the kept frames alone."""
        backbone = self.build().backbone
        if backbone.per_length:
            pytest.skip("its blocks serve one length")
        tokens = backbone.embed(*self.inputs())
        kept = some(self.frames, self.kept, seed=2)
        keys = torch.zeros(BATCH, self.frames, dtype=torch.bool).scatter(1, kept, True)
        gathered = tokens.gather(1, widen(kept, tokens))
        for index, block in enumerate(backbone.blocks[self.first :], self.first):
            masked = block(tokens, keys)
            close(masked.gather(1, widen(kept, masked)), block(gathered), f"block {index}")

    @torch.no_grad()
    def test_received_attention_is_shared_out(self) -> None:
        """Sums to 1 over frames, none for masked frames; blocks without it may leave it out."""
        backbone = self.build().backbone
        tokens = backbone.embed(*self.inputs())
        keys = torch.ones(BATCH, self.frames, dtype=torch.bool)
        keys[:, 1::2] = False
        readable = [b for b in backbone.blocks if type(b).received is not Block.received]
        if not readable:
            pytest.skip("no block has attention to read")
        for block in readable:
            for mask in (None, keys):
                received = block.received(tokens, mask)  # type: ignore[operator]
                assert received.shape == keys.shape, f"received is {received.shape}"
                assert (received >= 0).all(), "attention below 0"
                close(received.sum(dim=1), torch.ones(BATCH), "sum of the received attention")
            assert not received[~keys].any(), "masked frames receive attention"
            if not backbone.per_length:
                alone = block.received(tokens[:, ::2])  # type: ignore[operator]
                close(received[:, ::2], alone, "masked against gathered")

    def test_costs_can_be_counted(self) -> None:
        """Builds and runs on `meta`."""
        with torch.device("meta"):
            lifter = self.build(((self.kept, self.first),))
        with torch.no_grad():
            poses = lifter(*(part.to("meta") for part in self.inputs())).poses
        assert poses.shape == (BATCH, self.kept, lifter.backbone.joints, 3)


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
            whole = recoverer(x, kept, torch.arange(self.frames))
            assert whole.shape == (BATCH, self.frames, *x.shape[2:]), f"gave {whole.shape}"
            assert whole.isfinite().all() and whole.dtype == x.dtype
            for f in (1, 9):
                wanted = even_positions(self.frames, f)
                close(recoverer(x, kept, wanted), whole[:, wanted], f"f = {f} of F")
            if self.exact:
                back = whole.gather(1, widen(kept, whole))
                assert back.equal(x), "kept frames changed, but exact = True"

    @torch.no_grad()
    def test_each_clip_alone_gives_the_same(self) -> None:
        """The other clips of a batch do not matter; two calls are equal."""
        for recoverer, r in self.cases():
            x, kept, wanted = self.x(r), self.kept(r), torch.arange(self.frames)
            together = recoverer(x, kept, wanted)
            assert recoverer(x, kept, wanted).equal(together), "two calls differ"
            for i in range(BATCH):
                alone = recoverer(x[i : i + 1], kept[i : i + 1], wanted)
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
                + recoverer(self.x(r), self.kept(r), torch.arange(self.frames)).square().sum()
            )
            for name, parameter in recoverer.named_parameters():
                (gradient,) = torch.autograd.grad(learned, parameter, retain_graph=True)
                assert gradient.any(), f"{name} gets no gradient"

    def test_costs_can_be_counted(self) -> None:
        """Builds and runs on `meta`."""
        with torch.device("meta"):
            recoverer, wanted = self.build(self.ranks), torch.arange(self.frames)
        r = self.ranks[-1]
        found = recoverer(self.x(r).to("meta"), self.kept(r).to("meta"), wanted)
        assert found.shape[:2] == (BATCH, self.frames)


class DatasetContract:
    """Motion that a reader gives. Override the fixture `motion`.

    bone_tolerance: mm by which a bone may change within a clip.
    """

    bone_tolerance: ClassVar[float] = 1.0

    @pytest.fixture
    def motion(self) -> Motion:
        """The motion under test."""
        raise NotImplementedError("override the fixture `motion`")

    @staticmethod
    def bones(positions: np.ndarray) -> np.ndarray:
        """(N, 17, 3) mm -> (N, 16) lengths, joint 1 to its parent first."""
        return np.linalg.norm(positions[:, 1:] - positions[:, list(PARENTS[1:])], axis=2)

    def test_clips_have_their_layout(self, motion: Motion) -> None:
        """(N, 17, 3) float32, finite; names once each; a fingerprint of 12 hex digits."""
        assert motion.clips, "no clips"
        for clip in motion.clips:
            shape = clip.positions.shape
            assert shape[0] > 0 and shape[1:] == (len(JOINTS), 3), f"{clip.name}: {shape}"
            assert clip.positions.dtype == np.float32, f"{clip.name}: {clip.positions.dtype}"
            assert np.isfinite(clip.positions).all(), f"{clip.name} is not finite"
            assert clip.split in SPLITS, f"{clip.name}: split {clip.split!r}"
        assert len({clip.name for clip in motion.clips}) == len(motion.clips), "a name twice"
        assert len(motion.fingerprint) == 12 and int(motion.fingerprint, 16) >= 0

    def test_nobody_is_in_both_splits(self, motion: Motion) -> None:
        """Subjects are apart."""
        train, test = ({c.subject for c in motion.clips if c.split == s} for s in SPLITS)
        assert not train & test, f"in both splits: {sorted(train & test)}"

    def test_a_person_in_millimetres_with_z_up(self, motion: Motion) -> None:
        """Legs of 0.5 to 1.2 m, heads 0.5 to 2.2 m above ankles in most frames, sides alike."""
        head, ankle, knee = (JOINTS.index(name) for name in ("Head", "RAnkle", "RKnee"))
        for clip in motion.clips:
            lengths = np.median(self.bones(clip.positions), axis=0)  # (16,)
            leg = lengths[ankle - 1] + lengths[knee - 1]
            assert 500 < leg < 1200, f"{clip.name}: a leg of {leg:.0f}, expected millimetres"
            left = np.array(LEFT) - 1
            right = MIRROR[list(LEFT)] - 1
            unlike = np.abs(lengths[left] / lengths[right] - 1).max()
            assert unlike < 0.2, f"{clip.name}: left and right differ by {unlike:.0%}"
        above = [c.positions[:, head, 2] - c.positions[:, ankle, 2] for c in motion.clips]
        height = float(np.median(np.concatenate(above)))
        assert 500 < height < 2200, f"heads are {height:.0f} mm above ankles; z must be up"

    def test_bones_stay_constant(self, motion: Motion) -> None:
        """No bone of a clip changes by more than `bone_tolerance`."""
        for clip in motion.clips:
            change = np.ptp(self.bones(clip.positions), axis=0).max()
            assert change <= self.bone_tolerance, f"{clip.name}: a bone changes by {change:.2f} mm"

    def test_nobody_is_faster_than_people_are(self, motion: Motion) -> None:
        """Below 20 m/s: glitches, metres for millimetres and wrong frame rates are above."""
        for clip in motion.clips:
            steps = np.linalg.norm(np.diff(clip.positions, axis=0), axis=2)  # (N - 1, 17) mm
            speed = steps.max(initial=0) * FRAME_RATE / 1000
            assert speed < 20, f"{clip.name}: a joint moves at {speed:.1f} m/s"

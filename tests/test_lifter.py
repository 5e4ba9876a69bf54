"""The lifter: the loop that joins backbone, pruner and recoverer."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from htpbench.errors import BenchError
from htpbench.network.build import build
from htpbench.network.contracts import Backbone, Block
from htpbench.network.lifter import Lifter
from htpbench.network.positions import even_positions, top
from htpbench.pruners.tpc import TPC
from htpbench.pruners.tps import TPS
from htpbench.recoverers.tra import TRA
from htpbench.recoverers.tri import TRI
from htpbench.systems.cards import BackboneCard, Normalisation
from htpbench.systems.registry import BACKBONES, PRUNERS


def made(text, **settings):
    torch.manual_seed(0)
    return build(text, **settings).eval()


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


def test_unpruned_is_embed_blocks_head():
    lifter = made("mixste.tiny-27")
    (clip,) = lifter.example(batch=2)
    poses, frames, kept, auxiliary = lifter.train()(clip)
    tokens = lifter.backbone.embed(clip)
    for block in lifter.backbone.blocks:
        tokens = block(tokens)
    assert poses.equal(lifter.backbone.head(tokens))
    assert poses.shape == (2, 27, 17, 3)
    assert frames.tolist() == [list(range(27))] * 2
    assert kept == () and auxiliary is None


def test_pruning_runs_before_its_block_on_the_present_frames():
    lifter = made("mixste.tiny-27+tps:14@1,5@3")
    lifter.centred = False
    (clip,) = lifter.example()
    blocks, tokens = lifter.backbone.blocks, lifter.backbone.embed(clip)
    tokens = blocks[0](tokens)
    first = even_positions(27, 14)
    tokens = blocks[2](blocks[1](tokens[:, first]))
    second = even_positions(14, 5)
    tokens = blocks[3](tokens[:, second])
    lifted = lifter(clip)
    assert lifted.kept[0].equal(first[None])
    assert lifted.kept[1].equal(first[second][None])
    torch.testing.assert_close(lifted.poses, lifter.backbone.head(tokens), atol=1e-6, rtol=0)


@pytest.mark.parametrize("pruner", ["tps", "tpc"])
def test_the_trail_of_kept_frames(pruner):
    lifter = made(f"mixste.tiny-27+{pruner}:14@0,9@2,4@3")
    lifted = lifter(*lifter.example(batch=3))
    assert [k.shape for k in lifted.kept] == [(3, 14), (3, 9), (3, 4)]
    before = [set(range(27))] * 3
    for kept in lifted.kept:
        rows = [set(row.tolist()) for row in kept]
        assert all(row < earlier for row, earlier in zip(rows, before, strict=True))
        assert (kept.diff(dim=1) > 0).all()
        before = rows
    assert lifted.frames.equal(lifted.kept[-1])
    assert lifted.poses.shape == (3, 4, 17, 3)


@pytest.mark.parametrize("frames", [27, 26])
@pytest.mark.parametrize("pruner", ["tps", "tpc"])
def test_the_centre_survives_every_stage_in_seq2frame(pruner, frames):
    lifter = made(f"mixste.tiny-{frames}+{pruner}:15@0,8@1,3@2,1@3", pipeline="seq2frame")
    lifted = lifter(*lifter.example(batch=4))
    assert lifter.centre == (frames - 1) // 2 == 13 - (frames == 26)
    for kept in lifted.kept:
        assert (kept == lifter.centre).any(dim=1).all()
    assert lifted.at(lifter.centre).equal(lifted.poses[:, 0])


def test_a_replayed_selection_is_kept_whatever_the_input():
    lifter = made("mixste.tiny-27+tpc:14@1,5@3+tri")
    first, second = lifter.example(batch=2, seed=0), lifter.example(batch=2, seed=1)
    lifted = lifter(*first)
    assert not all(
        a.equal(b) for a, b in zip(lifted.kept, lifter(*second).kept, strict=True)
    )  # else there is nothing to replay
    assert lifter(*first, replay=lifted.kept).poses.equal(lifted.poses)
    replayed = lifter(*second, replay=lifted.kept)
    assert all(a.equal(b) for a, b in zip(lifted.kept, replayed.kept, strict=True))


@pytest.mark.parametrize("recoverer", ["tri", "tra"])
def test_recovered_full_length_or_f_evenly_spaced(recoverer):
    whole = made(f"mixste.tiny-27+tps:13@0,9@2+{recoverer}")
    some = made(f"mixste.tiny-27+tps:13@0,9@2+{recoverer}:5", pipeline="seq2seq")
    clip = whole.example(batch=2)
    full, five = whole(*clip), some(*clip)
    assert full.poses.shape == (2, 27, 17, 3)
    assert full.frames.tolist() == [list(range(27))] * 2
    assert five.frames.tolist() == [[0, 7, 13, 20, 26]] * 2
    assert [k.shape[1] for k in five.kept] == [13, 9]
    torch.testing.assert_close(five.poses, full.poses[:, five.frames[0]], atol=1e-6, rtol=0)


def test_tri_recovers_what_the_pruned_lifter_lifted():
    pruned, lifter = made("mixste.tiny-27+tpc:7@1"), made("mixste.tiny-27+tpc:7@1+tri")
    lifter.centred = True
    clip = lifter.example(batch=2)
    sparse, dense = pruned(*clip), lifter(*clip)
    assert sparse.kept[0].equal(dense.kept[0])
    for i in range(2):
        assert dense.poses[i, sparse.frames[i]].equal(sparse.poses[i])


@pytest.mark.parametrize("r", [1, 2, 9, 26, 27])
def test_tri_is_numpys_interpolation_at_the_true_frame_times(r):
    generator = torch.Generator().manual_seed(r)
    kept = torch.stack([torch.randperm(27, generator=generator)[:r].sort().values for _ in "abc"])
    poses = torch.randn(3, r, 17, 3, dtype=torch.float64, generator=generator)
    found = TRI(27, None, 17, 16)(poses, kept, torch.arange(27))
    assert found.shape == (3, 27, 17, 3) and found.dtype == torch.float64
    for clip in range(3):
        values = poses[clip].reshape(r, -1).numpy()
        columns = [np.interp(np.arange(27), kept[clip].numpy(), v) for v in values.T]
        ours = found[clip].reshape(27, -1).numpy()
        np.testing.assert_allclose(ours, np.stack(columns, axis=1), atol=1e-12)


def test_with_schedule_shares_parameters():
    lifter = made("mixste.tiny-27", any_schedule=True)
    other = lifter.with_schedule(((9, 2),), TPS(), TRI(27, None, 17, 32))
    mine, theirs = dict(lifter.named_parameters()), dict(other.named_parameters())
    assert mine.keys() == theirs.keys()
    assert all(mine[name] is theirs[name] for name in mine)
    fresh = made("mixste.tiny-27+tps:9@2+tri")
    clip = lifter.example()
    assert other.eval()(*clip).poses.equal(fresh(*clip).poses)


def test_one_tra_serves_any_schedule():
    lifter = made("mixste.tiny-27+tpc:9@2+tra", any_schedule=True)
    assert [code.shape for code in lifter.recoverer.codes] == [(1, 27, 32)]
    for schedule in (((14, 0),), ((20, 1), (3, 2)), ((1, 3),)):
        for pruner in (TPS(), TPC()):
            other = lifter.with_schedule(schedule, pruner, lifter.recoverer).eval()
            lifted = other(*lifter.example(batch=2))
            assert lifted.poses.shape == (2, 27, 17, 3)
            assert [k.shape[1] for k in lifted.kept] == [r for r, _ in schedule]


def test_tra_marks_by_rank_at_every_stage_or_by_frame_once():
    kept = torch.tensor([[2, 5, 20]])
    zeros = torch.zeros(1, 3, 17, 32)
    by_rank = TRA(27, [14, 3], 17, 32)
    assert by_rank.mark(zeros, kept, 1)[0, :, 4].equal(by_rank.codes[1][0])
    by_frame = TRA(27, None, 17, 32)
    assert by_frame.mark(zeros, kept, 0)[0, :, 4].equal(by_frame.codes[0][0, [2, 5, 20]])
    assert by_frame.mark(zeros, kept, 1).equal(zeros)


def test_spans_are_called_in_order():
    names = []

    @contextmanager
    def span(name):
        names.append(f"{name} starts")
        yield
        names.append(f"{name} ends")

    lifter = made("mixste.tiny-27+tps:13@0,9@2+tri")
    lifter.span = span
    lifter(*lifter.example())
    parts = ["embed", *["prune", "recover"] * 2, "head", "recover"]
    assert names == [f"{part} {what}" for part in parts for what in ("starts", "ends")]
    names.clear()
    lifter = made("mixste.tiny-27+tps:9@2")
    lifter.span = span
    lifter(*lifter.example())
    assert names[::2] == ["embed starts", "prune starts", "head starts"]


def test_the_pose_of_one_frame():
    lifter = made("mixste.tiny-27+tps:9@2")
    lifted = lifter(*lifter.example(batch=2))
    frame = int(lifted.frames[0, 3])
    assert lifted.at(frame).equal(lifted.poses[:, 3])


class Attentive(TPS):
    """Reads attention, as it declares."""

    needs = frozenset({"attention"})

    def select(self, view, r):
        return top(view.received(), r, view.keep)


def test_attention_is_refused_where_a_block_has_none(monkeypatch):
    monkeypatch.setitem(PRUNERS.registered, "attentive", Attentive)
    lifter = made("mhformer.tiny-9+attentive:5@0,3@1")
    assert lifter(*lifter.example()).poses.shape == (1, 3, 17, 3)
    with pytest.raises(BenchError, match=r"attentive reads .* block 2, .* b among 0, 1$"):
        build("mhformer.tiny-9+attentive:5@1,3@2")


class Same(Block):
    def forward(self, tokens, keys=None):
        return tokens


class Dummy(Backbone):
    """Owns lengths, or must return all frames, as a test says."""

    card = BackboneCard(
        title="Dummy",
        summary="",
        citation="",
        pipeline="seq2seq",
        default="only",
        variants={"only": {"blocks": 3}},
    )
    width = 3

    def __init__(self, frames, lengths, blocks):
        super().__init__()
        self.lengths = lengths
        self.blocks = torch.nn.ModuleList(Same() for _ in range(blocks))

    def embed(self, *inputs):
        return torch.nn.functional.pad(inputs[0], (0, 1))

    def head(self, tokens):
        return tokens


@pytest.fixture
def dummy(monkeypatch):
    def register(**declared):
        cls = type("Dummy", (Dummy,), declared)
        monkeypatch.setitem(BACKBONES.registered, "dummy", cls)

    return register


def test_a_backbone_gets_its_lengths(dummy):
    dummy()
    lifter = build("dummy-9+tps:5@1,2@2")
    assert lifter.backbone.lengths == [9, 5, 2]
    (clip,) = lifter.example(batch=2)
    lifted = lifter(clip)
    for i in range(2):
        assert lifted.poses[i, :, :, :2].equal(clip[i, lifted.frames[i]])


def test_a_dense_backbone_returns_all_frames_or_is_refused(dummy):
    dummy(dense=True)
    for text in ("dummy-9", "dummy-9+tps:5@1+tri"):
        lifter = build(text)
        assert lifter(*lifter.example()).poses.shape == (1, 9, 17, 3)
    for text in ("dummy-9+tps:5@1", "dummy-9+tps:5@1+tri:3"):
        with pytest.raises(BenchError, match="dummy needs all F frames at its head"):
            build(text)


def test_a_backbone_of_one_pose_says_so_in_its_card_too(dummy):
    def centre(self, tokens, kept):
        return tokens[range(len(tokens)), (kept == 4).int().argmax(dim=1)][:, None]

    dummy(one_pose=True, head=centre)
    with pytest.raises(BenchError, match="dummy: write one_pose=True in its BackboneCard"):
        build("dummy-9+tps:5@1")
    right = Dummy.card.model_copy(update={"one_pose": True, "pipeline": "seq2frame"})
    dummy(one_pose=True, head=centre, card=right)
    lifter = build("dummy-9+tps:5@1,3@2")
    (clip,) = lifter.example(batch=2)
    lifted = lifter(clip)
    assert lifted.frames.tolist() == [[4], [4]] and lifted.poses[..., :2].equal(clip[:, 4:5])
    for text, pipeline in (("dummy-9+tps:5@1+tri", None), ("dummy-9", "seq2seq")):
        with pytest.raises(BenchError, match="gives one"):
            build(text, pipeline)


def test_joints_and_numbers_of_a_card_are_put_right_around_the_network(dummy):
    order = [*range(16, -1, -1)]
    scales = {"mean_2d": [(0.5, 0.0)] * 17, "std_2d": [(2.0, 4.0)] * 17}
    scales |= {"mean_3d": [(0.5, 0.0, 1.0)] * 17, "std_3d": [(2.0, 4.0, 1.0)] * 17}
    told = {"order": order, "normalisation": Normalisation(**scales)}
    dummy(card=Dummy.card.model_copy(update=told))
    lifter = build("dummy-9+tps:5@1+tri")
    (clip,) = lifter.example(batch=2)
    found = lifter(clip).poses  # the network gives what it is given: in our order, undone again
    assert torch.allclose(found[:, 4, :, :2], clip[:, 4], atol=1e-6) and found[..., 2].eq(1).all()
    seen = lifter.embed(clip)[..., :2]
    expected = (clip[:, :, order] - torch.tensor([0.5, 0.0])) / torch.tensor([2.0, 4.0])
    assert torch.allclose(seen, expected)
    assert not [name for name in lifter.state_dict() if "conventions" in name]
    dummy(card=Dummy.card.model_copy(update={"order": [1, 0]}))
    with pytest.raises(BenchError, match="has 2 joints, not 17"):
        build("dummy-9")
    with pytest.raises(ValueError, match="every joint from 0 on, each once"):
        BackboneCard.model_validate(Dummy.card.model_dump() | {"order": [0, 0, 1]})


def test_a_network_may_be_shown_the_person_alone(dummy):
    variants = {
        "v": Dummy.card.variants[Dummy.card.default].model_copy(update={"root_relative": True})
    }
    dummy(card=Dummy.card.model_copy(update={"variants": variants, "default": "v"}))
    lifter = build("dummy-9")
    (clip,) = lifter.example(batch=2)
    seen = lifter.embed(clip)[..., :2]
    assert torch.equal(seen[:, :, 0], torch.zeros(2, 9, 2)), "the root"
    assert torch.allclose(seen.square().sum(-1).mean(dim=(1, 2)), torch.ones(2))
    moved = 0.3 * clip + torch.rand(2, 9, 1, 2)  # nearer, elsewhere, each frame anew
    assert torch.allclose(lifter.embed(moved)[..., :2], seen, atol=1e-5)
    assert lifter.embed(torch.ones_like(clip))[..., :2].eq(0).all(), "all joints in one place"


def test_a_backbone_that_owns_lengths_serves_one_schedule(dummy):
    dummy(per_length=True)
    lifter = build("dummy-9+tps:5@1+tri")
    with pytest.raises(BenchError, match=r"Dummy has parameters for each frame.*anew for \d+@\d"):
        lifter.with_schedule(((3, 1),), TPS(), TRI(9, None, 17, 3))
    with pytest.raises(BenchError, match=r"dummy cannot serve any schedule.*train it for one"):
        build("dummy-9+tps:5@1+tri", any_schedule=True)


def test_features_of_a_backbone_with_its_own_summary_are_sized(dummy):
    dummy(summary=lambda self, tokens: tokens.flatten(2))
    shapes = build("dummy-9+tps:5@1,2@2+tri:4").shapes()
    assert (shapes.features, shapes.stacked, shapes.width) == (51, 17, 3)
    assert (shapes.lengths, shapes.kept, shapes.recovered) == ((9, 5), (5, 2), 4)


def test_examples_are_drawn_from_the_seed():
    lifter = Lifter(made("mixste.tiny-27").backbone, 27)
    assert lifter.example(seed=1)[0].equal(lifter.example(seed=1)[0])
    assert not lifter.example(seed=1)[0].equal(lifter.example(seed=2)[0])
    assert lifter.example(batch=3, device="meta")[0].shape == (3, 27, 17, 2)

"""Attention and motion as criteria: the formulas, their literal reading, what they cost."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import small
import test_search
import torch

from htpbench.errors import BenchError
from htpbench.measuring import additive
from htpbench.network.attention import readable
from htpbench.network.build import build
from htpbench.network.contracts import View
from htpbench.pruners.tpa import TPA
from htpbench.pruners.tpmo import TPMo
from htpbench.pruners.tps import TPS
from htpbench.report.published import published, same_digit
from htpbench.systems.combination import parse
from htpbench.training.trainee import Trainee

ATTENTIVE = [
    "ktpformer",
    "mhformer",
    "mixste",
    "motionagformer",
    "motionbert",
    "pstmo",
    "strided",
]


def seen(tokens=None, poses2d=None, kept=None, keep=None, attention=None):
    """A view of clips of which `kept` frames are present: all of them unless said otherwise."""
    batch, frames = (tokens if poses2d is None else poses2d).shape[:2]
    kept = torch.arange(frames).expand(batch, -1) if kept is None else kept
    return View(tokens, poses2d, kept, 1, 0, keep, None, attention)


def seen_in(backbone, **settings):
    """A view of two clips before block 1 of a tiny backbone, and that block."""
    torch.manual_seed(0)
    lifter = build(f"{backbone}.tiny-27").eval()
    for weight in lifter.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3)  # attention as peaked as after training
    (clip,) = lifter.example(batch=2)
    tokens = lifter.backbone.blocks[0](lifter.backbone.embed(clip))
    block = lifter.backbone.blocks[1]
    return seen(tokens, clip, attention=block.received, **settings), block


def drawn(poses):
    """(n, J, 2 or 3) lists -> (1, n, J, channels)."""
    return torch.tensor([poses], dtype=torch.float32)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


# Attention


def test_tpa_ranks_by_the_attention_received_from_all_frames_heads_and_joints():
    view, block = seen_in("mixste")
    layer = block.temporal
    tokens = block.enter(view.tokens).double()  # (B, n, J, C)
    layer.double()
    received = torch.zeros(2, 27, dtype=torch.float64)
    for clip in range(2):
        for joint in range(17):
            x = layer.norm1(tokens[clip, :, joint])  # (n, C)
            queries, keys, _ = (layer.attention.qkv(x)).chunk(3, dim=-1)
            for head in range(2):
                part = slice(16 * head, 16 * (head + 1))  # C / heads = 16
                weights = (queries[:, part] @ keys[:, part].T / 4).softmax(dim=1)
                received[clip] += weights.sum(dim=0)
    layer.float()
    expected = received.argsort(dim=1, descending=True)
    for r in (1, 5, 13, 26):
        assert TPA().select(view, r).equal(expected[:, :r].sort(dim=1).values), r
    assert not TPA().select(view, 13).equal(torch.arange(13).expand(2, -1)), "tells nothing"


def test_equal_attention_goes_to_the_lower_position():
    scores = torch.tensor([[0.1, 0.3, 0.1, 0.3, 0.2]])
    view = seen(torch.zeros(1, 5, 17, 2), attention=lambda tokens: scores)
    assert TPA().select(view, 1).tolist() == [[1]]
    assert TPA().select(view, 4).tolist() == [[0, 1, 3, 4]]
    kept = replace(view, keep=torch.tensor([2]))
    assert TPA().select(kept, 2).tolist() == [[1, 2]]


def rows_of(attend, x):
    """The sums over keys that section 3.1.2 prints: mean over heads, then over streams, (n,)."""
    queries, keys, _ = attend.split(x)
    weights = (queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5).softmax(dim=-1)
    return weights.mean(dim=1).mean(dim=0).sum(dim=1)


def test_the_printed_sums_are_all_one_and_rank_by_rounding():
    view, block = seen_in("mixste")
    layer, x = block.temporal, block.enter(view.tokens)[0].transpose(0, 1)  # (J, n, C)
    single = rows_of(layer.attention, layer.norm1(x))
    layer.double()
    double = rows_of(layer.attention, layer.norm1(x.double()))
    layer.float()
    assert (single - 1).abs().max() < 1e-6 and (double - 1).abs().max() < 1e-14
    kept = [set(sums.argsort(descending=True)[:13].tolist()) for sums in (single, double)]
    assert kept[0] != kept[1], "what rounding ranks depends on the precision"


@pytest.mark.parametrize("backbone", ATTENTIVE)
def test_the_printed_rule_keeps_the_first_frames_whatever_is_in_them(backbone):
    view, _ = seen_in(backbone)
    printed = TPA(rule="printed")
    assert printed.select(view, 13).equal(torch.arange(13).expand(2, -1))
    centred = replace(view, keep=torch.tensor([20, 2]))
    assert printed.select(centred, 3).tolist() == [[0, 1, 20], [0, 1, 2]]


# Motion


def test_tpmo_keeps_the_frames_that_moved_most():
    still, step, leap = [[0, 0], [0, 0]], [[1, 0], [0, 0]], [[1, 5], [0, -5]]
    view = seen(poses2d=drawn([still, still, step, leap, leap, still]))
    # moved by 0, 0, 1, 10, 0, 11
    assert TPMo().motion(view.poses.flatten(2)).tolist() == [[0, 0, 1, 10, 0, 11]]
    assert TPMo().select(view, 1).tolist() == [[5]]
    assert TPMo().select(view, 2).tolist() == [[3, 5]]
    assert TPMo().select(view, 3).tolist() == [[2, 3, 5]]
    assert TPMo().select(view, 4).tolist() == [[0, 2, 3, 5]], "of equals the lower"
    assert TPMo().select(replace(view, keep=torch.tensor([4])), 2).tolist() == [[4, 5]]


def test_the_printed_motion_keeps_its_signs():
    still, apart, right, left = [[0, 0], [0, 0]], [[9, 0], [-9, 0]], [[2, 0], [2, 0]], None
    left = [[-2, 0], [-2, 0]]
    view = seen(poses2d=drawn([still, apart, still, right, still, left]))
    poses = view.poses.flatten(2)
    assert TPMo("printed").motion(poses).tolist() == [[0, 0, 0, 4, -4, -4]]
    assert TPMo().motion(poses).tolist() == [[0, 18, 18, 4, 4, 4]]
    assert TPMo("printed").select(view, 2).tolist() == [[0, 3]]
    assert TPMo().select(view, 2).tolist() == [[1, 2]]
    mirrored = replace(view, poses2d=-view.poses2d)
    assert TPMo("printed").select(mirrored, 2).tolist() == [[4, 5]], "to the left is less than not"
    assert TPMo().select(mirrored, 2).tolist() == [[1, 2]]


def test_confidence_is_no_motion():
    generator = torch.Generator().manual_seed(0)
    poses = torch.randn(2, 9, 17, 3, generator=generator)
    blind = poses[..., :2]
    poses[..., 2] = 100 * torch.rand(2, 9, 17, generator=generator)
    for rule in ("absolute", "printed"):
        kept = TPMo(rule).select(seen(poses2d=poses), 4)
        assert kept.equal(TPMo(rule).select(seen(poses2d=blind), 4)), rule


def test_after_earlier_prunings_motion_is_between_the_frames_that_are_left():
    places = torch.tensor([0.0, 3, 0, 4, 1, 1, 0, 9])  # of one joint, on x
    clip = torch.stack((places, torch.zeros(8)), dim=-1)[None, :, None]  # (1, 8, 1, 2)
    kept = torch.tensor([[0, 2, 4, 5, 7]])  # at 0 0 1 1 9: moved by 0 0 1 0 8
    view = seen(poses2d=clip, kept=kept)
    assert TPMo().motion(view.poses.flatten(2)).tolist() == [[0, 0, 1, 0, 8]]
    assert TPMo().select(view, 2).tolist() == [[2, 4]]


# Options


def test_rules_are_options_of_the_string():
    for text, rule in (
        ("mixste.tiny-27+tpa~rule=printed:9@1", "printed"),
        ("mixste.tiny-27+tpa:9@1", "received"),
        ("mixste.tiny-27+tpmo~rule=printed:9@1", "printed"),
        ("mixste.tiny-27+tpmo:9@1", "absolute"),
    ):
        assert str(parse(text)) == text
        assert build(text).pruner.rule == rule
    assert str(parse("mixste.tiny-27+tpa~rule=received:9@1")) == "mixste.tiny-27+tpa:9@1"
    with pytest.raises(BenchError, match=r"unknown rule of tpa 'print'; did you mean printed"):
        build("mixste.tiny-27+tpa~rule=print:9@1")
    with pytest.raises(BenchError, match=r"unknown rule of tpmo 'sum'; known: absolute, printed"):
        build("mixste.tiny-27+tpmo~rule=sum:9@1")


# Blocks without attention


def test_another_schedule_is_refused_where_a_block_has_no_attention():
    lifter = build("mhformer.tiny-9+tpa:5@0")
    assert lifter.with_schedule(((5, 0), (3, 1))).schedule == ((5, 0), (3, 1))
    with pytest.raises(BenchError, match=r"^TPA reads .* block 2, .* expected b among 0, 1$"):
        lifter.with_schedule(((5, 0), (3, 2)))
    with pytest.raises(BenchError, match=r"^TPA reads .* block 2"):
        build("mhformer.tiny-9+tps:5@0").with_schedule(((5, 2),), TPA())
    assert lifter.with_schedule(((5, 2),), TPS()).schedule == ((5, 2),)


@pytest.mark.parametrize("backbone", ["mhformer", "mixste"])
def test_training_for_any_schedule_draws_attention_where_there_is_some(backbone):
    trainee = Trainee(parse(f"{backbone}.tiny-27"), any_schedule=True)
    drawn = [trainee.draw(np.random.default_rng(seed), True) for seed in range(300)]
    found = {(type(one.pruner).__name__, b) for one in drawn for _, b in one.schedule}
    blocks = range(len(trainee.backbone.blocks))
    assert {b for name, b in found if name == "TPA"} == set(readable(trainee.backbone))
    for name in ("TPC", "TPMo", "TPS"):
        assert {b for other, b in found if other == name} == set(blocks)


# Cost


@cache
def traced(text):
    """(params, published FLOPs, all FLOPs) of the whole network."""
    return test_search.traced(parse(text))


def test_printed_costs_of_table_2_follow():
    cells = published(2)
    cells = cells[cells["metric"].isin(["params", "flops"])]
    cells = cells[cells["combination"].str.contains(r"\+tpa:|\+tpmo:")]
    assert cells["printed"].tolist() == ["35.00", "167.52"] * 2
    for cell in cells.itertuples():
        counted = small.counted(cell.combination)
        ours = counted[{"params": "cost.params", "flops": "cost.flops_published"}[cell.metric]]
        assert same_digit(ours, cell.printed, cell.unit), cell.combination
    names = cells["combination"].unique()
    flops = [round(small.counted(name)["cost.flops"] / 1e9, 4) for name in names]
    assert flops == [201.1744, 176.1784], "tpa pays 25.0 G to look, tpmo nothing"


@pytest.mark.parametrize("backbone", ["mixste", "mhformer", "motionbert"])
def test_selection_is_in_no_published_count(backbone):
    plain = traced(f"{backbone}.tiny-9+tps:5@1")
    for pruner in ("tpa", "tpmo"):
        assert traced(f"{backbone}.tiny-9+{pruner}:5@1")[:2] == plain[:2]


@pytest.mark.parametrize("schedule", [((13, 0),), ((13, 1),), ((20, 0), (9, 2), (4, 3))])
def test_tpa_pays_for_the_glance_and_tpmo_for_nothing(schedule):
    """MixSTE, width 32: the spatial half, queries, keys and values, and their products again."""
    width, hidden, present, extra = 32, 64, 27, 0
    for r, b in schedule:
        spatial = 17 * present * (4 * width**2 + 2 * width * hidden) + 2 * 17**2 * present * width
        extra += spatial if b else 0  # the spatial half of pair 0 is part of embed
        extra += 17 * present * 3 * width**2 + 17 * present**2 * width
        present = r
    stages = ",".join(f"{r}@{b}" for r, b in schedule)
    flops = {p: traced(f"mixste.tiny-27+{p}:{stages}")[2] for p in ("tps", "tpa", "tpmo")}
    assert flops["tpa"] - flops["tps"] == 2 * extra
    assert flops["tpmo"] == flops["tps"]


@pytest.mark.parametrize("backbone", ["mixste.tiny-9", "mhformer.tiny-9", "motionbert.tiny-9"])
def test_costs_put_together_are_those_traced_as_a_whole(backbone):
    costs = additive.Costs(parse(backbone))
    parts = ("tpa:7@0,5@1+tra", "tpa:7@1", "tpa:7@0", "tpmo:7@0,5@1+tri", "tpa~rule=printed:5@1")
    for _ in range(2):  # then all shapes are known
        for text in (f"{backbone}+{part}" for part in parts):
            whole = dict(zip(additive.METRICS, traced(text), strict=True))
            assert costs.of(parse(text)) == whole, text

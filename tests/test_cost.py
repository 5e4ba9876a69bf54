"""Cost: the printed digits, the closed forms at other sizes, and hooks on other layers."""

import random
import re

import pytest
import small
import torch
from paths import ROOT
from torch import nn

from htpbench.backbones.mixste import MixSTE
from htpbench.measuring.counting import (
    ConvolutionsAsProducts,
    count_fvcore,
    count_ptflops,
    disagreement,
    everything_counter,
    freeze,
    measure,
    published_counter,
)
from htpbench.network.build import build
from htpbench.network.contracts import Backbone, Block
from htpbench.network.lifter import Lifter
from htpbench.pruners.tpc import TPC
from htpbench.pruners.tps import TPS
from htpbench.recoverers.tra import TRA
from htpbench.recoverers.tri import TRI
from htpbench.systems import cards, catalogue
from htpbench.systems.combination import parse


def on_meta(text):
    with torch.device("meta"):
        return freeze(build(text))


def flops_published(lifter):
    with torch.no_grad(), published_counter(lifter) as counted:
        lifter(*lifter.example(device="meta"))
    return 2 * sum(counted)


def flops(lifter):
    with everything_counter() as counter:
        lifter(*lifter.example(device="meta"))
    return counter.get_total_flops()


def params(lifter):
    return sum(parameter.numel() for parameter in lifter.parameters())


# G FLOPs of the official code under the papers' counter, or of its closed form (six decimals).
OFFICIAL = {
    "mixste-243": 277.2479,
    "mixste-81": 92.415956,
    "mixste-105": 119.798461,
    "mixste-121": 138.053465,
    "mixste-243+tpc:81@3": 161.7328,
    "mixste-243+tpc:61@7": 251.2885,
    "mixste-243+tpc:81@3+tra": 167.516771,
    "mixste-243+tps:81@3+tra": 167.516771,  # run in HoT's module, pooling included
    "mixste-243+tpc:81@0+tra": 109.761205,
    "mixste-243+tpc:121@0+tra": 153.256138,
    "mixste-243+tpc:89@0+tra": 118.460192,
    "mixste-243+tpc:81@1+tra": 121.312318,
    "mixste-243+tpc:121@3+tra": 196.751070,
    "mixste-243+tpc:15@3+tra": 119.280178,
    "mixste-243+tps:81@3+tri": 161.728399,
    "mixste-243+tps:121@0,81@3+tri": 118.233467,
    "mixste-243+tps:121@0,49@3+tri": 95.414782,
    "mixste-243+tps:189@0,121@3,81@5+tri": 153.885051,
    "mixste-243+tps:189@0,121@3,81@5,49@7+tri": 149.319977,
    "motionbert-243": 131.0943,
    "motionbert.original-243": 348.8092,
    "motionbert-243+tpc:81@1": 61.0369,
    "motionbert-243+tpc:81@1+tra": 63.2112,
    "motionbert-243+tps:121@0,81@1+tri": 47.982029,
    "motionagformer-243": 95.9894,
    "motionagformer.hot-243": 95.9894,
    "motionagformer.l-243": 155.6344,
    "motionagformer-243+tpc:81@7+tra": 60.5644,
    "motionagformer-243+tps:121@0,81@7+tri": 38.871374,
    "mhformer-351": 14.1490,
    "mhformer-351+tpc:117@1": 8.2221,
    "mhformer-351+tps:175@0,117@1": 6.007468,
    "mhformer-351+tps:175@0,117@2": 6.737277,
    "ktpformer-243": 277.2648,
    "hdformer-96": 1.180631,
    "stcformer-243": 156.214988,
    "stcformer.repository-243": 39.122487,
    "stcformer-243+tps:121@0,81@3": 64.932763,
    "poseformer-81": 1.624696,
    "strided-351": 1.602244,  # with the head for training alone
    "pstmo-243": 1.737004,  # the same
    "uplift-71": 1.001364,  # of the official network's shapes; it is in Keras, without hooks
}


@pytest.mark.parametrize(("text", "expected"), OFFICIAL.items())
def test_published_flops_of_the_official_code(text, expected):
    digits = 4 if expected == round(expected, 4) else 6
    assert round(small.counted(text)["cost.flops_published"] / 1e9, digits) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mixste-243", 33783811),
        ("mixste-243+tpc:81@3", 33783811),
        ("mixste-243+tpc:81@3+tra", 35000323),
        ("mixste-243+tps:121@0,81@3+tri", 33783811),
        ("motionbert-243", 16001549),
        ("motionbert.original-243", 42466317),
        ("motionbert-243+tpc:81@1+tra", 16347661),
        ("motionagformer-243", 11723811),
        ("motionagformer.l-243", 19007111),
        ("motionagformer.hot-243+tpc:81@7+tra~bias=false~heads=4", 11828031),
        ("mhformer-351", 31516125),
        ("mhformer-9", 19090233),
        ("mhformer-351+tpc:117@1", 31516125),
        ("ktpformer-243", 35213430),
        ("hdformer-96", 3718089),
        ("stcformer-243", 18933184),
        ("stcformer.repository-243", 4748000),
        ("poseformer-81", 9602885),
        # The last norms of both encoders are never used: 4 x 256 parameters more there, which
        # makes 4,346,214 and 7,009,382. The printed digits are the same.
        ("strided-351", 4346214 - 4 * 256),
        ("pstmo-243", 7009382 - 4 * 256),
        ("uplift-71", 10404902),
    ],
)
def test_parameters_of_the_official_code(text, expected):
    assert small.counted(text)["cost.params"] == expected


@pytest.mark.parametrize(
    ("text", "everything"),
    [
        ("mixste-243", 294.8453),
        ("mixste-243+tpc:81@3", 169.7091),
        ("mixste-243+tpc:81@3+tra", 176.1784),
        ("motionbert-243", 142.0927),
        ("motionbert-243+tpc:81@1+tra", 66.8567),
        # The official code scales adjacencies by products with diagonal matrices, ours does not:
        # 128.9195 and 76.6582 there, 2 x 2 (17 f^3 + 17^3 f) more a block of f frames.
        ("motionagformer-243", 113.2314),
        ("motionagformer-243+tpc:81@7+tra", 69.4551),
        ("mhformer-351", 16.4360),
        ("mhformer-351+tpc:117@1", 9.1649),
        ("hdformer-96", 1.2264),
        ("stcformer-243", 162.7886),
        ("stcformer.repository-243", 42.4093),
        # Here too: 307.7726 there, 2 x 512 x 17 (2 x 243^2 + 17 x 243) more.
        ("ktpformer-243", 305.6448),
        ("poseformer-81", 1.6938),
        # Nor is the head for training alone run here: 2.1196 and 2.0431 there, 2 x 256 x 51 F more.
        ("strided-351", 2.1104),
        ("pstmo-243", 2.0367),
        # With its head for training, 1.0512: one more Linear over all tokens.
        ("uplift-71", 1.0485),
    ],
)
def test_everything_that_the_official_code_multiplies(text, everything):
    assert round(small.counted(text)["cost.flops"] / 1e9, 4) == everything


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("mixste-243", 2),
        ("mixste-243+tpc:81@3+tra", 8),
        ("motionbert-243", 2),
        ("motionbert-243+tpc:81@1+tra", 2),
        ("motionagformer-243", 2),
        ("motionagformer-243+tpc:81@1+tra", 2),
        ("mhformer-351+tpc:117@1", 3),
        ("ktpformer-243", 8),
        ("stcformer-243+tps:81@1", 2),
        ("strided-351", 3),
        ("pstmo-243", 4),
        ("hdformer-96", 0),
        ("poseformer-81+tpc:27@1", 2),
        ("uplift-71+tps:15@1+tra", 2),
    ],
)
def test_all_counters_agree(monkeypatch, text, blocks):
    """Mostly with few blocks: they are alike, and tracing all of them is slow."""
    combination = parse(text)
    card = combination.card
    few = card.variants[card.default].model_copy(update={"blocks": blocks})
    changed = card.model_copy(update={"variants": {**card.variants, card.default: few}})
    monkeypatch.setitem(cards.shipped("backbone"), combination.backbone, changed)
    lifter = on_meta(text)
    assert len(lifter.backbone.blocks) == blocks
    found = {m.metric: m for m in measure(lifter)}
    assert list(found) == [
        "cost.params",
        "cost.flops_published",
        "cost.flops",
        "cost.macs_fvcore",
        "cost.macs_ptflops",
    ]
    assert found["cost.flops"].value == flops(lifter)
    assert found["cost.flops_published"].value == flops_published(lifter)
    assert found["cost.params"].value == params(lifter)
    for name in ("cost.macs_fvcore", "cost.macs_ptflops"):
        assert found[name].value == pytest.approx(found["cost.flops"].value / 2, rel=0.01)
        assert catalogue.metric(name).unit == "MAC"
    assert all(m.note is None for m in found.values())


def test_fvcore_and_ptflops_on_mixste():
    lifter = on_meta("mixste-243")
    inputs = lifter.example(device="meta")
    fvcore, norms, unsupported = count_fvcore(lifter, inputs)
    assert round(fvcore / 1e9, 4) == 147.9408
    assert 2 * (fvcore - norms) == flops(lifter)
    assert "aten::gelu" in unsupported and not any("attention" in name for name in unsupported)
    assert round(count_ptflops(lifter, inputs) / 1e9, 4) == 147.6616


def test_measuring_leaves_the_lifter_as_it_was():
    torch.manual_seed(0)
    lifter = build("mixste.tiny-27+tpc:9@2+tra").eval()
    clip = lifter.example()
    before = lifter(*clip).poses
    measure(lifter)
    assert lifter(*clip).poses.equal(before)
    assert all(p.device.type == "cpu" and p.requires_grad for p in lifter.parameters())
    assert not any(module._forward_hooks for module in lifter.modules())


# The closed forms, re-derived for any size, so that no constant can stand in for counting.


def forms(frames, width, ratio, lengths, schedule, pruner, recoverer, f):
    """Multiply-adds (published, everything) of a MixSTE with 17 joints."""
    hidden = int(width * ratio)
    layer = 17 * (4 * width**2 + 2 * width * hidden)  # linears, per frame
    spatial = [frames, *lengths[1:]]  # pair 0's spatial layer sees every frame
    left = lengths[-1]
    out = f if recoverer == "tra" else left
    linear = layer * (sum(spatial) + sum(lengths))
    linear += frames * 17 * 2 * width + out * 17 * width * 3
    attention = sum(2 * 17**2 * width * n for n in spatial)
    attention += sum(2 * 17 * width * n**2 for n in lengths)
    pooling = sum(18 * width * n for n in [frames, *(r for r, _ in schedule)][:-1])
    published_extra = pooling if pruner == "tpc" or recoverer == "tra" else 0
    if recoverer == "tra":
        linear += 17 * 2 * (f + left) * width**2
        attention += 17 * 2 * f * left * width
    if recoverer == "tri":
        published_extra += 5 * f * 51
    return linear + published_extra, linear + attention


def draw(rng, blocks):
    """A random schedule, and frames for it."""
    frames, stages = rng.randint(20, 60), rng.randint(1, 4)
    kept = sorted(rng.sample(range(1, frames), stages), reverse=True)
    before = sorted(rng.sample(range(blocks), stages))
    return frames, tuple(zip(kept, before, strict=True))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("recoverer", [None, "tri", "tra"])
def test_closed_forms_at_other_sizes(seed, recoverer):
    rng = random.Random(seed)
    blocks, width, ratio = 5, 64, rng.choice([1.5, 2.0, 4.0])
    frames, schedule = draw(rng, blocks)
    pruner = rng.choice(["tps", "tpc"])
    f = rng.choice([frames, rng.randint(1, frames)]) if recoverer else frames
    kept, lengths, present = {b: r for r, b in schedule}, [], frames
    for block in range(blocks):
        present = kept.get(block, present)
        lengths.append(present)
    with torch.device("meta"):
        backbone = MixSTE(frames, lengths, blocks, width, 4, ratio, 0.1)
        ranks = [r for r, _ in schedule]
        made = {"tri": TRI, "tra": TRA}[recoverer](frames, ranks, 17, width) if recoverer else None
        chosen = {"tps": TPS, "tpc": TPC}[pruner]()
        lifter = freeze(Lifter(backbone, frames, chosen, schedule, made, recovered=f))
    expected = forms(frames, width, ratio, lengths, schedule, pruner, recoverer, f)
    assert (flops_published(lifter), flops(lifter)) == tuple(2 * macs for macs in expected)


@pytest.mark.parametrize(("frames", "blocks", "width"), [(31, 5, 64), (7, 1, 24), (16, 3, 40)])
def test_closed_forms_unpruned(frames, blocks, width):
    with torch.device("meta"):
        backbone = MixSTE(frames, [frames] * blocks, blocks, width, 4, 3.0, 0.0)
        lifter = freeze(Lifter(backbone, frames))
    expected = forms(frames, width, 3.0, [frames] * blocks, (), None, None, frames)
    assert (flops_published(lifter), flops(lifter)) == tuple(2 * macs for macs in expected)


class Convolved(Block):
    """BatchNorm, a grouped and a plain convolution over frames, joints folded into the batch."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.BatchNorm1d(width)
        self.grouped = nn.Conv1d(width, width, 3, padding=1, groups=2, bias=False)
        self.plain = nn.Conv1d(width, width, 5, padding=2)

    def forward(self, tokens, keys=None):
        x = tokens.transpose(1, 2).flatten(0, 1).transpose(1, 2)  # (B S, C, f)
        x = self.plain(self.grouped(self.norm(x))).transpose(1, 2)
        return x.unflatten(0, (len(tokens), -1)).transpose(1, 2)


class Toy(Backbone):
    width = 6

    def __init__(self, block):
        super().__init__()
        self.blocks = nn.ModuleList([block])

    def embed(self, *inputs):
        return inputs[0].repeat(1, 1, 1, 3)  # (B, F, J, 6)

    def head(self, tokens):
        return tokens[..., :3]


def test_hooks_on_convolutions_and_norms():
    lifter = freeze(Lifter(Toy(Convolved(6)), 10))
    values = 17 * 6 * 10
    assert flops_published(lifter) == 2 * values * (2 + 3 * 3 + (6 * 5 + 1))


@pytest.mark.parametrize(
    ("convolution", "shape"),
    [
        (nn.Conv1d(4, 6, 5, stride=3, padding=2, dilation=2, groups=2), (2, 4, 30)),
        (nn.Conv2d(4, 8, (9, 3), stride=(2, 1), padding=(4, 1), groups=2), (2, 4, 16, 17)),
        (nn.Conv2d(4, 4, (3, 17), padding=(1, 0), dilation=(2, 1)), (1, 4, 9, 17)),
    ],
)
def test_convolutions_as_products_are_convolutions(convolution, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = convolution(x)
        with ConvolutionsAsProducts():
            torch.testing.assert_close(convolution(x), expected)


class Normed(Block):
    """Much normalisation, which one counter counts, beside little multiplication."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(6)
        self.linear = nn.Linear(6, 1)

    def forward(self, tokens, keys=None):
        return self.norm(self.norm(tokens)) * self.linear(tokens)


def test_counters_agree_on_convolutions():
    found = {m.metric: m.value for m in measure(Lifter(Toy(Convolved(6)), 10))}
    values = 17 * 6 * 10
    assert found["cost.flops"] == 2 * values * (3 * 3 + 6 * 5)
    assert found["cost.macs_fvcore"] == values * (3 * 3 + 6 * 5 + 2)  # the norm too


def test_counters_that_differ_say_so():
    found = {m.metric: m for m in measure(Lifter(Toy(Normed()), 10))}
    assert found["cost.flops"].value == 2 * 17 * 10 * 6
    for name in ("cost.flops", "cost.macs_fvcore", "cost.macs_ptflops"):
        note = found[name].note
        assert note.startswith("counters differ: flops / 2 1.02e-06 G, fvcore 1.122e-05 G, ")
        assert "norms as well (1.02e-05 G)" in note and "but not mul" in note
    assert found["cost.params"].note is found["cost.flops_published"].note is None


def test_one_percent_is_still_agreement():
    assert disagreement({"a": 100e9, "b": 101e9}, 0, []) is None
    said = disagreement({"a": 100e9, "b": 101.1e9}, 2 * 10**9, ["aten::topk"])
    assert said is not None and said.startswith("counters differ: a 100 G, b 101.1 G; ")
    assert "norms as well (2 G)" in said and "but not topk" in said


def test_the_meter_names_no_model_pruner_recoverer_or_table():
    source = (ROOT / "htpbench/meters/cost.py").read_text().lower()
    names = [name for kind in cards.FOLDERS for name in cards.shipped(kind)]
    assert len(names) > 10
    found = [name for name in [*names, "table", "hot", "h2ot"] if re.search(rf"\b{name}\b", source)]
    assert found == []
    assert not re.search(r"\d{3}", source.replace("1000", "")), "a constant of three digits"

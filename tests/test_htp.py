"""HTP as docs/htp.md specifies it: what must hold of the graph, the mask and the whole."""

import pytest
import small
import torch

from htpbench.diffusion.hypotheses import draw_noise, sample
from htpbench.errors import BenchError
from htpbench.measuring import sampled
from htpbench.measuring.context import Context
from htpbench.network.build import build
from htpbench.network.contracts import View
from htpbench.network.lifter import Lifter
from htpbench.network.positions import density_peaks, top
from htpbench.pruners.htp import HTP
from htpbench.pruners.mgptp import MGPTP
from htpbench.pruners.tcep import TCEP
from htpbench.study.loading import load
from htpbench.systems import catalogue
from htpbench.systems.combination import parse

PRUNED = "d3dp.tiny-27+htp:13@0,9@2+tra"
EVERY = ("tps", "tpc", "tpa", "tpmo", "tcep", "mgptp", "htp")


def network(text, masked=False):
    torch.manual_seed(0)
    return build(text, masked=masked).eval()


def seen(features, attention=None, keep=None):
    """A view of features (B, n, D)."""
    kept = torch.arange(features.shape[1]).expand(len(features), -1)
    clip = torch.zeros(*features.shape[:2], 17, 2)
    return View(features[:, :, None], clip, kept, 0, 0, keep, lambda x: x.mean(dim=2), attention)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# 1. Nothing pruned, nothing changed


def test_all_frames_kept_are_d3dp_bit_for_bit():
    plain = network("d3dp.tiny-27")
    schedule = ((27, 0), (27, 2))
    inputs = plain.example(batch=2)
    for masked in (False, True):
        pruned = Lifter(plain.backbone, 27, HTP(), schedule, masked=masked).eval()
        with torch.inference_mode():
            assert pruned(*inputs).poses.equal(plain(*inputs).poses)


# 2, 5. Masked is gathered


@pytest.mark.parametrize("pruner", EVERY)
@pytest.mark.parametrize(
    ("backbone", "schedule"),
    [
        ("d3dp", "13@0,9@2"),
        ("mixste", "13@0,9@2,5@3"),
        ("motionbert", "13@0,9@2"),
        ("mhformer", "13@0,9@1"),
        ("ktpformer", "13@1,9@2"),
    ],
)
def test_masked_and_gathered_are_one(backbone, schedule, pruner):
    for end in ("", "+tra", "+tri"):
        if not end and backbone == "d3dp":
            continue
        text = f"{backbone}.tiny-27+{pruner}:{schedule}{end}"
        gathered, masked = network(text), network(text, masked=True)
        with torch.inference_mode():
            one, other = (each(*each.example(2)) for each in (gathered, masked))
        assert all(a.equal(b) for a, b in zip(one.kept, other.kept, strict=True))
        torch.testing.assert_close(one.poses, other.poses, atol=1e-5, rtol=0)


def test_a_single_stage_is_masked_to_the_end():
    text = "mixste.tiny-27+tpc:13@1"
    gathered, masked = network(text), network(text, masked=True)
    lengths = []
    for block in masked.backbone.blocks:
        block.register_forward_hook(lambda block, args, out: lengths.append(out.shape[1]))
    with torch.inference_mode():
        one, other = (each(*each.example(2)) for each in (gathered, masked))
    assert lengths == [27] * 4
    torch.testing.assert_close(one.poses, other.poses, atol=1e-5, rtol=0)


def test_what_serves_one_length_is_not_masked():
    with pytest.raises(BenchError, match="motionagformer cannot be masked"):
        build("motionagformer.tiny-27+tps:9@1+tri", masked=True)


def test_later_stages_choose_among_what_the_mask_lets_through():
    lifted = network(PRUNED, masked=True)
    first, second = lifted(*lifted.example(4)).kept
    for clip in range(4):
        assert set(second[clip].tolist()) < set(first[clip].tolist())


# 3. Exactly so many, always the same, by content


def test_the_mask_has_exactly_as_many_frames_and_goes_by_content():
    features = noise(6, 243, 16)
    for options in ({}, {"coverage": 0}, {"score": "central"}, {"correlation": "motion"}, {"n": 2}):
        pruner = TCEP(**options)
        kept = pruner.select(seen(features), 109)
        assert kept.shape == (6, 109) and (kept.diff(dim=1) > 0).all()
        assert kept[:, 0].eq(0).all() and kept[:, -1].eq(242).all()
        assert kept.equal(pruner.select(seen(features), 109))
        assert len({tuple(clip.tolist()) for clip in kept}) == 6


def test_one_frame_is_the_one_to_keep():
    features, keep = noise(2, 27, 16), torch.tensor([13, 4])
    for pruner in (TCEP(), MGPTP(gamma=0)):
        assert pruner.select(seen(features, keep=keep), 1).tolist() == [[13], [4]]


# 4. Still clips, equal frames


def test_a_still_clip_gives_no_nan():
    still = noise(1, 1, 16).expand(2, 27, 16)
    for features in (still, torch.zeros(2, 27, 16)):
        for score in ("diverse", "central"):
            pruner = TCEP(score=score)
            assert pruner.scores(features).isfinite().all()
            kept = pruner.select(seen(features), 9)
            assert (kept.diff(dim=1) > 0).all() and kept.max() <= 26


def test_equal_frames_do_not_crowd_out_a_different_one():
    features = torch.ones(1, 9, 4, dtype=torch.float64)
    features[0, 5] = torch.tensor([1.0, -1, 1, -1])
    pruner = TCEP(correlation="pose", coverage=0, n=2)
    assert pruner.select(seen(features), 3).tolist() == [[0, 5, 8]]
    assert TCEP(correlation="pose", coverage=0, n=2, score="central").select(
        seen(features), 3
    ).tolist() != [[0, 5, 8]]


# The graph by hand


def test_the_graph_links_the_most_alike_both_ways():
    angles = torch.tensor([0.0, 0.1, 0.25, 1.2, 1.3], dtype=torch.float64)
    features = torch.stack((angles.cos(), angles.sin()), dim=-1)[None]
    pruner = TCEP(n=1, correlation="pose", coverage=0)
    alike = pruner.alike(features)
    torch.testing.assert_close(alike[0], (angles[:, None] - angles).cos())
    links = pruner.links(seen(features))[0]
    assert links.nonzero().tolist() == [[0, 1], [1, 0], [1, 2], [2, 1], [3, 4], [4, 3]]
    near = torch.tensor([0.1, 0.125, 0.15, 0.1, 0.1], dtype=torch.float64)  # mean angle to links
    expected = 1 - near.cos()
    expected[1] = 1 - (torch.tensor(0.1).double().cos() + torch.tensor(0.15).double().cos()) / 2
    torch.testing.assert_close(pruner.scores(features)[0], expected)
    central = TCEP(n=1, correlation="pose", score="central").scores(features)[0]
    torch.testing.assert_close(central, (links * alike[0]).sum(dim=1))


def test_coverage_takes_the_best_of_each_span():
    scores = torch.zeros(1, 12, dtype=torch.float64)
    scores[0, :4] = torch.tensor([9.0, 8, 7, 6])
    scores[0, [5, 8, 10]] = torch.tensor([3.0, 2, 1]).double()
    spread = top(TCEP(n=2).ranked(scores, 6), 6, None)  # three spans of four frames
    assert spread.tolist() == [[0, 1, 2, 5, 8, 11]]
    bare = top(TCEP(n=2, coverage=0).ranked(scores, 6), 6, None)
    assert bare.tolist() == [[0, 1, 2, 3, 5, 11]]


def test_mgptp_weighs_clusters_by_attention():
    features = noise(2, 27, 8)
    received = noise(2, 27, seed=1).softmax(dim=1)
    plain = density_peaks(features, 5)
    expected = top(plain * (received / received.mean(dim=1, keepdim=True)).sqrt(), 9, None)
    assert MGPTP().select(seen(features, lambda tokens: received), 9).equal(expected)
    assert not expected.equal(top(plain, 9, None))
    assert MGPTP(gamma=0).select(seen(features), 9).equal(top(plain, 9, None))


# Attention along the graph, selection from the 2D clip, recovery from early tokens


@pytest.mark.parametrize("backbone", ["d3dp", "mixste", "motionbert", "mhformer"])
def test_a_frame_looks_along_its_links_alone(backbone):
    text = f"{backbone}.tiny-27+htp~edges=1~n=2:13@0,9@1+tra"
    gathered, masked = network(text), network(text, masked=True)
    with torch.inference_mode():
        one, other = (each(*each.example(2)) for each in (gathered, masked))
        free = network(text.replace("~edges=1", "")).eval()
        assert not free(*free.example(2)).poses.equal(one.poses)
    assert all(a.equal(b) for a, b in zip(one.kept, other.kept, strict=True))
    torch.testing.assert_close(one.poses, other.poses, atol=1e-5, rtol=0)


def test_what_no_link_reaches_changes_nothing():
    lifter = network("mixste.tiny-27+tcep~edges=1~n=1:13@0")
    seen_by = []
    lifter.backbone.blocks[0].register_forward_pre_hook(lambda block, args: seen_by.append(args))
    lifter(*lifter.example())
    tokens, keys = seen_by[0]
    assert keys.shape == (1, 13, 13) and keys.equal(keys.mT)
    assert keys.diagonal(dim1=1, dim2=2).all() and not keys.all()
    apart = ~keys[0, 0]
    with torch.inference_mode():
        before = lifter.backbone.blocks[0](tokens, keys)
        tokens = torch.where(apart[:, None, None], 9.0, tokens)
        after = lifter.backbone.blocks[0](tokens, keys)
    torch.testing.assert_close(before[:, 0], after[:, 0])


def test_from_the_2d_clip_every_hypothesis_has_one_mask():
    by_noise, by_clip = (
        network(f"d3dp.tiny-27+tcep~of={of}:13@0+tri") for of in ("tokens", "poses2d")
    )
    clip = by_clip.example()[0]
    shown = clip.expand(4, -1, -1, -1), torch.randn(4, 27, 17, 3), torch.tensor([0, 9, 99, 999])
    with torch.inference_mode():
        masks = [
            {tuple(row) for row in each(*shown).kept[0].tolist()} for each in (by_noise, by_clip)
        ]
        assert len(masks[0]) > 1 and len(masks[1]) == 1
        moved = (clip + 1).expand(4, -1, -1, -1), *shown[1:]  # the root's place is no matter
        assert by_clip(*moved).kept[0].equal(by_clip(*shown).kept[0])


@pytest.mark.parametrize(("f", "wanted"), [("", range(27)), (":3", [0, 13, 26])])
def test_early_tokens_ask_for_what_was_pruned(f, wanted):
    lifter = network(f"mixste.tiny-27+tps:13@1,9@2+trc{f}")
    early, asked = [], []
    lifter.backbone.blocks[0].register_forward_hook(lambda block, args, out: early.append(out))
    lifter.recoverer.attention.register_forward_pre_hook(lambda part, args: asked.append(args[0]))
    with torch.inference_mode():
        lifted = lifter(*lifter.example(2))
    expected = early[0][:, list(wanted)]
    torch.testing.assert_close(asked[0].unflatten(0, (2, 17)).transpose(1, 2), expected)
    assert lifted.frames.tolist() == [[*wanted]] * 2


# 6, 8. The whole


def test_every_frame_comes_back_for_any_hypotheses_and_iterations():
    lifter = network(PRUNED)
    clips = lifter.example(batch=2)[0]
    with torch.inference_mode():
        for hypotheses, iterations in ((1, 1), (3, 2)):
            drawn = draw_noise(0, [0, 1], hypotheses, iterations, (27, 17, 3))
            poses = sample(lifter, clips, drawn)
            assert poses.shape == (2, iterations, hypotheses, 27, 17, 3) and poses.isfinite().all()
        turned = sample(lifter, clips, drawn[:, [2, 0, 1]])
    torch.testing.assert_close(turned, poses[:, :, [2, 0, 1]])


@pytest.mark.parametrize("frames", [27, 81])
def test_time_has_no_direction(frames):
    features = noise(3, frames, 16)
    for r in (9, 13):  # ceil(r / 2) is odd: no frame lies on the border of two spans
        kept = TCEP().select(seen(features), r)
        turned = TCEP().select(seen(features.flip(1)), r)
        assert turned.equal(frames - 1 - kept.flip(1))


# 7. Cost


def test_cost_equals_the_closed_form():
    """Multiply-adds of one pass, as the papers count: linear layers alone, per frame."""
    width, joints, frames, k, f = 512, 17, 243, 109, 81
    layer = joints * 8 * width**2  # qkv, projection and an MLP of ratio 2, one frame
    time = 4 * width**2  # of the step number, once a clip

    def passes(first):
        rows = frames + (first + 2 * first * 2) + 5 * f * 2  # spatial layer 0; blocks 0-2; 3-7
        embed = joints * 5 * width * frames
        head = joints * width * 3 * frames
        recover = 2 * joints * (frames + f) * width**2
        pooling = 18 * (frames + k) * width
        return rows * layer + embed + head + recover + pooling + time

    text = "d3dp-243+htp:109@0,81@3+tra"
    with torch.device("meta"):
        gathered, masked = (sampled.call(build(text, masked=m))[0] for m in (False, True))
    assert gathered == 2 * passes(k) and masked == 2 * passes(frames)
    assert round(gathered / 2e9, 1) == 59.9 and round(masked / 2e9, 1) == 83.8


def test_options_reach_their_part():
    lifter = build("mixste.tiny-27+htp~gamma=0~n=4~score=central:13@0,9@2+tri")
    assert (lifter.pruner.first.n, lifter.pruner.first.score, lifter.pruner.later.gamma) == (
        4, "central", 0,
    )  # fmt: skip
    assert str(parse("mixste.tiny-27+htp~n=8:9@1+tri")) == "mixste.tiny-27+htp:9@1+tri"
    for text, words in (
        ("tcep~n=0", "n = 0"),
        ("tcep~score=best", "score"),
        ("tcep~of=video", "source"),
        ("mgptp~k=0", "k = 0"),
    ):
        with pytest.raises(BenchError, match=words):
            build(f"mixste.tiny-27+{text}:9@1+tri")


def test_a_study_can_mask(tmp_path):
    pruned = "mixste.tiny-9+htp:5@0,3@2+tra"
    path = small.study(
        tmp_path, "masked = true", combinations=("mixste.tiny-9", pruned), meters=("cost",)
    )
    masking = Context(load(str(path)))
    whole, cut = (masking.conditions(parse(text)) for text in ("mixste.tiny-9", pruned))
    assert "masked" not in whole and cut["masked"] is True
    flops = {}
    for masked in (True, False):
        found = catalogue.meter("cost").measure(masking.under(masked=masked), parse(pruned))
        flops[masked] = next(one.value for one in found if one.metric == "cost.flops")
    assert flops[True] > flops[False]

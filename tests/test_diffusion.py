"""Sampling from a denoising lifter: noise, chunks, hypotheses, aggregation, cost."""

import json
from dataclasses import replace

import numpy as np
import pytest
import small
import torch
from paths import SHARED
from small import call

from htpbench.diffusion import aggregate
from htpbench.diffusion.graph import Graph, load_official
from htpbench.diffusion.hypotheses import draw_noise, noised, sample
from htpbench.diffusion.refine import refine
from htpbench.diffusion.refined import Refined
from htpbench.diffusion.sampler import HypothesisSampler, Sampling
from htpbench.diffusion.schedule import cosine, step_back, times
from htpbench.errors import BenchError
from htpbench.measuring import counting, sampled
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import predict
from htpbench.motion.skeleton import flip
from htpbench.network.build import build
from htpbench.network.contracts import View
from htpbench.pruners.tcep import TCEP
from htpbench.study.loading import load
from htpbench.systems import catalogue
from htpbench.systems.combination import parse

NETWORK, PRUNED = "d3dp.tiny-9", "d3dp.tiny-9+tps:5@0,3@2+tri"
SHAPE = (9, 17, 3)


def lifter(text=NETWORK):
    torch.manual_seed(0)
    return build(text).eval()


@torch.inference_mode()
def drawn(lifter, clips, noise, **options):
    return sample(lifter, clips, noise, **options)


@pytest.mark.parametrize("text", [NETWORK, PRUNED, "d3dp.tiny-9+tpc:5@1+tra"])
def test_chunks_change_nothing_and_hypotheses_trade_places(text):
    network, (clips, *_) = lifter(text), lifter(text).example(batch=2)
    noise = draw_noise(0, [3, 7], 3, 2, SHAPE)
    whole = drawn(network, clips, noise, rows=6)
    assert whole.shape == (2, 2, 3, 9, 17, 3) and whole.isfinite().all()
    for rows in (1, 4):
        torch.testing.assert_close(drawn(network, clips, noise, rows=rows), whole)
    turned = drawn(network, clips, noise[:, [2, 0, 1]], rows=6)
    torch.testing.assert_close(turned, whole[:, :, [2, 0, 1]])


def test_noise_goes_by_seed_clip_and_hypothesis():
    noise = draw_noise(0, [3, 7], 3, 2, SHAPE)
    assert noise.shape == (2, 3, 2, *SHAPE)
    assert noise[1].equal(draw_noise(0, [7], 3, 2, SHAPE)[0])
    assert noise[:, :2].equal(draw_noise(0, [3, 7], 2, 2, SHAPE))
    assert noise[:, :, :1].equal(draw_noise(0, [3, 7], 3, 1, SHAPE))
    others = draw_noise(1, [3], 1, 1, SHAPE), draw_noise(0, [4], 1, 1, SHAPE)
    assert not any(noise[0, 0, 0].equal(other[0, 0, 0]) for other in others)
    assert not noise[0, 0].equal(noise[0, 1])


def test_the_schedule_of_the_official_code():
    assert times(1000, 5) == [999, 799, 599, 399, 199, -1]
    shares = cosine()
    assert shares.dtype == torch.float64 and (shares.diff() < 0).all()
    assert shares[0] > 0.9999 and shares[-1] < 1e-8


def test_a_step_back_without_chance_keeps_what_it_should():
    clean, error = torch.randn(2, *SHAPE), torch.randn(2, *SHAPE)
    shares = cosine()
    now, then = shares[799], shares[399]
    x = step_back(clean, error, now, then, 0.0, None)
    torch.testing.assert_close(x, then.sqrt().float() * clean + (1 - then).sqrt().float() * error)
    # With eta = 1 the mean moves and the variance is the same: 1 - then.
    many = torch.randn(100_000)
    noise = step_back(0 * many, torch.randn(100_000), now, then, 1.0, many)
    assert noise.var().item() == pytest.approx(1 - then.item(), rel=0.02)


def test_noised_poses_go_from_clean_to_noise():
    poses, noise = torch.rand(2, *SHAPE) / 2, torch.randn(2, *SHAPE) / 4
    shown = noised(poses, torch.tensor([0, 999]), noise)
    torch.testing.assert_close(shown[0], poses[0], atol=0.01, rtol=0)
    torch.testing.assert_close(shown[1], noise[1], atol=0.01, rtol=0)
    assert noised(10 * poses, torch.tensor([0, 0]), noise).abs().max() <= 1.1


def test_replaying_gives_the_mirrored_call_the_frames_of_the_first():
    network, (clips, *_) = lifter("d3dp.tiny-9+tpc:3@1+tri"), lifter().example(batch=4)
    seen = []
    select = network.pruner.select
    network.pruner.select = lambda view, r: seen.append(1) or select(view, r)
    noise = draw_noise(0, [0, 1, 2, 3], 1, 2, SHAPE)
    drawn(network, clips, noise)
    assert len(seen) == 4  # two calls, mirrored as well
    drawn(network, clips, noise, replay=True)
    assert len(seen) == 6


def evaluation():
    return prepare(small.motion(), 9, "seq2seq", "gt", limit=4)


def test_rules_settle_on_what_they_say():
    where = evaluation()
    rows = where.rows
    truth = where.views.poses3d[rows]
    rng = np.random.default_rng(0)
    scattered = rng.normal(scale=30, size=(len(rows), 4, 17, 3)).astype(np.float32)
    poses = truth[:, None] + scattered  # (n, H, J, 3)
    poses[..., 0, :] = 0
    errors = {
        rule: np.linalg.norm(aggregate.settle(rule, poses, rows, where.views) - truth, axis=-1)
        for rule in aggregate.RULES
    }
    mean = {rule: error.mean() for rule, error in errors.items()}
    alone = np.linalg.norm(poses - truth[:, None], axis=-1).mean()
    assert mean["j-best"] < min(mean["j-agg"], mean["p-best"])
    assert max(mean["p-agg"], mean["j-agg"], mean["p-best"]) < alone
    each = np.linalg.norm(poses - truth[:, None], axis=-1)  # (n, H, J)
    np.testing.assert_allclose(errors["j-best"], each.min(axis=1), rtol=1e-5)
    turned = poses[:, ::-1].copy()
    for rule in aggregate.RULES:
        again = aggregate.settle(rule, turned, rows, where.views)
        np.testing.assert_allclose(
            np.linalg.norm(again - truth, axis=-1), errors[rule], atol=1e-3, rtol=1e-4
        )


def test_j_agg_finds_the_truth_among_exact_projections():
    where = evaluation()
    rows = where.rows
    truth = where.views.poses3d[rows]
    wrong = truth + np.float32([40, 0, 0])
    wrong[:, 0] = 0
    poses = np.stack([wrong, truth, -wrong], axis=1)
    settled = aggregate.settle("j-agg", poses, rows, where.views)
    np.testing.assert_allclose(settled, truth)


def test_a_prediction_is_the_same_in_any_batch(monkeypatch):
    where, network, how = evaluation(), lifter(PRUNED), Sampling(2, 2, "j-agg")
    found = predict(network, where.views, where.windows, sampling=how)
    assert found.rows.tolist() == where.rows.tolist()
    assert set(found.ruled) == set(aggregate.RULES)
    monkeypatch.setattr("htpbench.measuring.prediction.BATCH", 1)
    again = predict(network, where.views, where.windows, sampling=replace(how, rows=3))
    for rule, errors in found.ruled.items():
        np.testing.assert_allclose(errors, again.ruled[rule], atol=1e-2)  # mm
    other = predict(network, where.views, where.windows, sampling=replace(how, seed=1))
    assert np.abs(other.poses - found.poses).max() > 1


def test_a_prediction_costs_as_many_calls():
    network, how = build(PRUNED).eval(), Sampling(2, 3)
    calls, published, flops, training = sampled.counts(HypothesisSampler(network, how, True))
    assert calls == 12
    one = {item.metric: item.value for item in counting.measure(network)}
    assert published == 12 * one["cost.flops_published"]
    with torch.inference_mode(), counting.everything_counter() as counter:
        whole = HypothesisSampler(network, how)
        whole(*whole.example())
    assert flops == counter.get_total_flops()
    # Backward: twice the products of forward, less those towards the inputs.
    assert 2.5 * one["cost.flops"] < training <= 3 * one["cost.flops"]


@pytest.mark.parametrize("text", ["diffpose.tiny-9+tps:5@1+tri", "diffpose.tiny-9+tps:5@1"])
def test_a_refined_prediction_is_of_the_frames_that_the_lifter_gives(text):
    network = lifter(text)
    whole = Refined(network, augment=True).eval()
    (clips,) = whole.example(batch=2)
    with torch.inference_mode():
        found, lifted = whole(clips), network(clips)
        replay = lifted.kept if network.centred else None
        mirrored = flip(network(flip(clips), replay=replay).poses)
        poses = (lifted.poses + mirrored) / 2  # (B, f, J, 3)
        seen = torch.stack(
            [clip[kept] for clip, kept in zip(clips, lifted.frames, strict=True)]
        )  # (B, f, J, 2)
        frame = torch.cat((seen[1, 2], poses[1, 2]), dim=-1)[None]  # of one frame alone
        refined = refine(whole.refiner, frame)[0, :, 2:]
    assert found.shape == poses.shape and not found[:, :, 0].any()
    torch.testing.assert_close(found[1, 2], refined - refined[0])
    assert not torch.allclose(found[1, 2], poses[1, 2] - poses[1, 2, 0]), "it refines nothing"


def test_what_refines_costs_beside_the_lifter():
    """6.3174 G operations of 243 frames, as torch counts those of the official code."""
    network = build("diffpose.tiny-243").eval()
    calls, published, flops = sampled.counts(Refined(network))
    one = {item.metric: item.value for item in counting.measure(network)}
    assert calls == 2 and published == 2 * one["cost.flops_published"]
    assert flops - 2 * one["cost.flops"] == pytest.approx(6.3174e9, rel=1e-3)


def test_a_refined_lifter_is_timed_with_what_refines_it(tmp_path):
    names = "diffpose.tiny-9", "diffpose.tiny-9+tps:5@1+tri"
    study = load(str(small.study(tmp_path, combinations=names, meters=("cost", "sampling"))))
    bench, pruned = small.runner(study, tmp_path / "results"), parse(names[1])
    assert bench.conditions(pruned, "sampling")["refined"] == {"steps": 6, "calls": 1}
    told = {one.metric: one for one in catalogue.meter("sampling").measure(bench.context, pruned)}
    assert told["sampling.calls"].value == 1 and told["sampling.speedup"].value > 0
    assert "sampling.training_flops" not in told and "sampling.training_flops" not in bench.keys(
        pruned, "sampling"
    )


def test_pruned_denoisers_return_every_frame():
    for text in ("d3dp.tiny-9+tps:3@1", "d3dp.tiny-9+tps:3@1+tri:5"):
        with pytest.raises(BenchError, match="needs all F frames at its head"):
            build(text)


def test_a_study_samples_and_says_how(tmp_path):
    text = "[sampling]\nhypotheses = 2\niterations = 2"
    path = small.study(tmp_path, text, combinations=(NETWORK, PRUNED), meters=("accuracy",))
    study = load(str(path))
    bench = small.runner(study, tmp_path / "results")
    with bench.writer() as writer:
        controls = bench.control(writer)
        rows = bench.measure(parse(PRUNED), writer)
    assert {row.status for row in controls} == {"ok"}
    assert {row.status for row in rows.values()} == {"ok"}
    told = rows["accuracy.mpjpe"].conditions["sampling"]
    assert told == {"hypotheses": 2, "iterations": 2, "rule": "p-agg", "replay": False, "seed": 0}
    value = {metric.partition(".")[2]: row.value for metric, row in rows.items()}
    assert value["mpjpe_j_best"] <= value["mpjpe_p_best"] and value["mpjpe"] == value["mpjpe_p_agg"]
    assert bench.keys(parse("mixste.tiny-9"), "sampling") == {}


def test_the_verb_writes_the_aggregated_poses(tmp_path, monkeypatch, capsys):
    data, out = small.motion_file(tmp_path), tmp_path / "poses.npz"
    asked = "lift", PRUNED, "--weights", "random", "--data", data, "--out", out
    asked += "--hypotheses", 2, "--iterations", 2
    assert call(monkeypatch, *asked) == 0
    with np.load(out) as file:
        assert file["poses"].shape == (len(file["frame"]), 17, 3)
        assert json.loads(str(file["conditions"]))["sampling"]["hypotheses"] == 2
        assert not file["poses"][:, 0].any() and len(file["clip"]) == 2
    assert call(monkeypatch, *asked[:-1], 0) == 2
    assert "iterations" in capsys.readouterr().err
    assert call(monkeypatch, *asked, "--rule", "p-best") == 2
    assert call(monkeypatch, *asked[:-5], tmp_path / "poses.txt") == 2


@pytest.mark.parametrize("name", ["gcndiff", "gcnpose"])
def test_the_refiner_takes_official_checkpoints(name):
    path = SHARED / "keys" / f"diffpose_{name}.json"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    described = json.loads(path.read_text())
    timed = name == "gcndiff"
    network = Graph((5, 5) if timed else (2, 3), timed=timed)
    state = {key: torch.zeros(one["shape"]) for key, one in described["state_dict"].items()}
    load_official(network, state)
    unused = sum(state[key].numel() for key in state if key.startswith("temb.") and not timed)
    own = sum(parameter.numel() for parameter in network.parameters())
    assert own + unused == described["parameters"]
    del state["gconv_input.bias"]
    with pytest.raises(RuntimeError, match=r"enter\.bias"):
        load_official(network, state)


def test_a_meter_that_has_nothing_to_measure_says_so(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert call(monkeypatch, "run", "mixste.tiny-9", "--meter", "sampling") == 2
    assert "for diffusion lifters" in capsys.readouterr().err


def test_lifting_says_at_once_that_it_cannot_write(tmp_path, monkeypatch, capsys):
    data = small.motion_file(tmp_path)
    monkeypatch.setattr(
        "htpbench.measuring.prediction.predict", lambda *_, **__: pytest.fail("lifted first")
    )
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "poses.npz"
    asked = "lift", NETWORK, "--weights", "random", "--data", data, "--out", out
    assert call(monkeypatch, *asked) == 2
    assert "cannot write" in capsys.readouterr().err


def test_what_takes_no_time_is_no_condition_of_time(tmp_path):
    study = load(
        str(small.study(tmp_path, combinations=(NETWORK, PRUNED), meters=("cost", "sampling")))
    )
    base, pruned = small.runner(study, tmp_path / "results"), parse(PRUNED)
    other = base.under(sampling=study.sampling.model_copy(update={"rule": "j-agg"}))
    more = base.under(sampling=study.sampling.model_copy(update={"hypotheses": 7}))
    assert base.keys(pruned, "sampling") == other.keys(pruned, "sampling")
    assert base.keys(pruned, "sampling") != more.keys(pruned, "sampling")
    assert base.keys(pruned, "selection") == more.keys(pruned, "selection")
    assert base.keys(pruned, "accuracy") != other.keys(pruned, "accuracy")
    mixed = base.under(reference="mixste.tiny-9")
    with pytest.raises(BenchError, match="no diffusion lifter"):
        catalogue.meter("sampling").measure(mixed.context, pruned)
    plain = parse("mixste.tiny-9")
    assert base.keys(plain, "time") and base.keys(plain, "sampling") == {}


def test_autocast_does_not_choose_frames():
    torch.manual_seed(0)
    features = torch.randn(2, 81, 32)
    features[:, 1:] = features[:, :1] + 0.05 * features[:, 1:]  # alike, as frames are
    view = View(features[:, :, None], torch.zeros(2, 81, 17, 2), torch.arange(81).expand(2, -1),
                0, 0, None, lambda x: x.mean(dim=2), None)  # fmt: skip
    kept = TCEP().select(view, 36)
    with torch.autocast("cpu", torch.bfloat16):
        assert TCEP().select(view, 36).equal(kept)

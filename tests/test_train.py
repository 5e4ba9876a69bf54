"""Training: it learns, resumes to the same bits, and its files serve what they say."""

import json
import math
import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import small
import torch
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file

from htpbench import train as training
from htpbench import weights
from htpbench.combination import Combination, Part, parse
from htpbench.lifter import build
from htpbench.losses import mixste_loss
from htpbench.meters.accuracy import flip
from htpbench.run import Bench
from htpbench.study import load
from htpbench.train import Recipe, Sampler, Trainee, train


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return (str(small.motion_file(tmp_path_factory.mktemp("data"))),)


def recipe(data, combination=small.NETWORK, **changes):
    return Recipe(combination, data, **{"steps": 12, "batch": 2, "warmup": 4, **changes})


def test_the_loss_falls(data, tmp_path):
    losses = []
    asked = recipe(data, steps=40, batch=4, warmup=10)
    train(asked, tmp_path, tick=lambda step, loss: losses.append((step, loss)))
    assert [step for step, _ in losses] == list(range(1, 41))
    values = [loss for _, loss in losses]
    assert np.mean(values[-10:]) < 0.6 * np.mean(values[:10])


@pytest.mark.parametrize(
    ("combination", "any_schedule"),
    [(small.NETWORK, False), (small.NETWORK, True), ("mixste.tiny-9+tpc:5@1+tra", False)],
)
def test_stopped_and_resumed_equals_uninterrupted(
    data, tmp_path, monkeypatch, combination, any_schedule
):
    asked = recipe(data, combination, any_schedule=any_schedule)
    whole = load_file(train(asked, tmp_path / "whole"))

    def interrupt(step, loss):
        if step == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(asked, tmp_path / "parts", tick=interrupt)
    assert not (tmp_path / "parts" / "weights.safetensors").exists()
    steps = []
    parts = load_file(train(asked, tmp_path / "parts", tick=lambda step, loss: steps.append(step)))
    assert steps == list(range(6, 13))
    assert parts.keys() == whole.keys()
    assert all(parts[name].equal(whole[name]) for name in whole)
    other = load_file(train(recipe(data, combination, seed=1), tmp_path / "other"))
    assert not other["backbone.embedding.weight"].equal(whole["backbone.embedding.weight"])


def killable(data, out):
    """A training run that saves its state after every step and may be killed."""
    training.SAVE_EVERY_S = 0.0
    train(recipe((data,), steps=30, any_schedule=True), Path(out))


def steps_done(state):
    """Of a state that may be replaced meanwhile: `load_file` opens it twice, this once."""
    return int(load_bytes(state.read_bytes())["step"])


def test_killed_and_resumed_equals_uninterrupted(data, tmp_path):
    asked = recipe(data, steps=30, any_schedule=True)
    whole = load_file(train(asked, tmp_path / "whole"))
    out = tmp_path / "parts"
    code = f"import test_train; test_train.killable({data[0]!r}, {str(out)!r})"
    process = small.started("-c", code, cwd=tmp_path)
    state, deadline = out / "state.safetensors", time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if state.exists() and steps_done(state) >= 7:
            break
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    assert 7 <= steps_done(state) < 30
    parts = load_file(train(asked, out))
    assert all(parts[name].equal(whole[name]) for name in whole)


def test_a_finished_run_trains_no_further(data, tmp_path):
    asked, steps = recipe(data, steps=2), []
    first = train(asked, tmp_path).read_bytes()
    again = train(asked, tmp_path, tick=lambda step, loss: steps.append(step))
    assert steps == [] and again.read_bytes() == first


def test_one_any_schedule_file_serves_every_pruner_and_recoverer(data, tmp_path):
    path = train(recipe(data, any_schedule=True), tmp_path / "trained")
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["schedule"] == "any" and card["recipe"]["combination"] == small.NETWORK
    tensors = load_file(path)
    bench = Bench(load(str(small.study(tmp_path))).with_overrides(None, str(path)), tmp_path / "r")
    for part in ("", "+tps:5@0,3@2+tri", "+tps:3@1+tra", "+tpc:7@1,2@2+tri", "+tpc:5@0+tra"):
        combination = parse(small.NETWORK + part)
        lifter = bench.lifter(combination).eval()
        assert lifter.backbone.frame_code.equal(tensors["backbone.frame_code"])
        if "tra" in part:
            assert lifter.recoverer.queries.equal(tensors["recoverer.tra.queries"])
        with torch.no_grad():
            assert lifter(*lifter.example()).poses.shape == (1, 9, 17, 3)
        told = bench.conditions(combination, "accuracy")
        assert told["trained"] == "any" and told["weights"] == "weights"


def test_a_plain_file_serves_its_own_combination(data, tmp_path):
    combination = parse("mixste.tiny-9+tpc:5@1+tra")
    path = train(recipe(data, str(combination), steps=2), tmp_path)
    tensors, card = weights.read(path)
    assert card["schedule"] == "same"
    lifter = build(combination)
    weights.load_into(lifter, combination, tensors)
    assert lifter.state_dict()["recoverer.codes.0"].equal(tensors["recoverer.tra.codes.0"])


@pytest.mark.parametrize("frames", [4, 9, 81])
def test_every_drawn_schedule_is_valid(frames):
    combination = parse(f"mixste.tiny-{frames}")
    trainee, drawn = Trainee(combination, any_schedule=True), []
    for seed in range(300):
        lifter = trainee.draw(np.random.default_rng(seed), any_schedule=True)
        assert lifter.backbone is trainee.backbone
        if lifter.schedule:
            pruner, recoverer = (
                Part(type(part).__name__.lower()) for part in (lifter.pruner, lifter.recoverer)
            )
            text = str(Combination("mixste", "tiny", frames, pruner, lifter.schedule, recoverer))
            drawn.append(parse(text))  # refuses r that do not fall below F, b that do not rise
    assert 0.6 < len(drawn) / 300 < 0.9
    assert {c.pruner.name for c in drawn} == {"tps", "tpc"}
    assert {c.recoverer.name for c in drawn} == {"tri", "tra"}
    assert {c.schedule[0][1] for c in drawn} == set(range(len(trainee.backbone.blocks)))
    kept = {r for c in drawn for r, _ in c.schedule}
    assert min(kept) == training.LEAST and max(kept) == frames - 1
    assert {len(c.schedule) for c in drawn} >= ({1, 2, 3} if frames > 5 else {1})


def test_without_a_recoverer_the_targets_are_those_of_the_kept_frames(data, tmp_path, monkeypatch):
    asked = recipe(data, "mixste.tiny-9+tpc:3@1", steps=1)
    pairs, batches = [], []
    draw = Sampler.batch

    def batch(self, rng, channels):
        batches.append(draw(self, rng, channels))
        return batches[-1]

    def loss(poses, targets):
        pairs.append((poses, targets))
        return mixste_loss(poses, targets)

    monkeypatch.setattr(Sampler, "batch", batch)
    monkeypatch.setattr(training, "mixste_loss", loss)
    train(asked, tmp_path)
    (poses2d, poses3d), (poses, targets) = batches[0], pairs[0]
    assert poses.shape == targets.shape == (2, 3, 17, 3)
    torch.manual_seed(asked.seed)
    lifter = Trainee(parse(asked.combination), False).lifter[0].eval()
    frames = lifter(poses2d).frames  # (2, 3): other frames in each clip
    assert 4 in frames[0] and 4 in frames[1]
    assert targets.equal(torch.stack([poses3d[i, frames[i]] for i in range(2)]))


def test_a_batch_depends_on_seed_and_step_and_half_is_mirrored(data):
    sampler = Sampler(recipe(data, batch=64), 9)
    found = [sampler.batch(np.random.default_rng([0, step]), 2) for step in (3, 3, 4)]
    assert found[0][0].equal(found[1][0]) and found[0][1].equal(found[1][1])
    assert not found[0][0].equal(found[2][0])
    poses2d, poses3d = found[0]
    assert poses2d.shape == (64, 9, 17, 2) and poses3d.shape == (64, 9, 17, 3)
    assert poses3d[:, :, 0].abs().max() == 0
    assert 0.3 < poses3d.norm(dim=-1).max() < 2, "metres"
    views = sampler.views[0]
    known = {
        seen[:, :2].tobytes(): torch.from_numpy(truth) / 1000.0
        for seen, truth in zip(views.poses2d, views.poses3d, strict=True)
    }
    mirrored = 0
    for seen, truth in zip(poses2d[:, 0], poses3d[:, 0], strict=True):
        if seen.numpy().tobytes() not in known:
            seen, truth, mirrored = flip(seen), flip(truth), mirrored + 1
        assert truth.equal(known[seen.numpy().tobytes()])
    assert 16 < mirrored < 48


def test_the_rate_warms_up_and_falls_to_zero():
    asked = Recipe("mixste.tiny-9", (), steps=1000, rate=1.0, warmup=100)
    rates = [training.rate_at(asked, step) for step in range(1000)]
    assert rates[0] == 0.01 and max(rates) == 1.0 and rates.index(1.0) in (99, 100)
    assert all(a >= b for a, b in pairwise(rates[100:]))
    assert 0 <= rates[-1] < 1e-5 and math.isclose(rates[550], 0.5)

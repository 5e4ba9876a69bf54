"""Training: it learns, resumes to the same bits, and its files serve what they say."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import small
import torch
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file

from htpbench.backbones.mixste import MixSTE
from htpbench.errors import BenchError
from htpbench.learning.losses import LOSSES
from htpbench.learning.rates import Cosine, PerEpoch
from htpbench.learning.recipes import Recipe
from htpbench.measuring.prediction import predict
from htpbench.motion.filming import make_views
from htpbench.motion.skeleton import flip
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.study.loading import load
from htpbench.systems import cards
from htpbench.systems.combination import Combination, Part, parse
from htpbench.systems.registry import BACKBONES
from htpbench.training import history, trainee
from htpbench.training import train as training
from htpbench.training.held_out import typical
from htpbench.training.sampler import Sampler
from htpbench.training.train import train
from htpbench.training.trainee import Trainee

FILES = ("weights.safetensors", "weights.json", "best.safetensors", "best.json")


def recipe(data, combination=small.NETWORK, **changes):
    short = {"steps": 6, "batch": 2, "rate_schedule": Cosine(2)}
    return Recipe.of(combination, data, **{**short, **changes})


def sampled(asked, combination=small.NETWORK):
    return Sampler(asked, parse(combination))


@pytest.fixture
def often(monkeypatch):
    """Scores as often as CHECKS says, however short the run."""
    monkeypatch.setattr(history, "APART", 1)


def files(out):
    """What a finished run leaves, but for its state."""
    return {name: (out / name).read_bytes() for name in FILES}


def test_the_loss_falls(data, tmp_path):
    losses = []
    asked = recipe(data, steps=40, batch=4, rate_schedule=Cosine(10))
    train(asked, tmp_path, tick=lambda *told: losses.append(told))
    assert [told[:2] for told in losses] == [(step, 40) for step in range(1, 41)]
    values = [loss for _, _, loss in losses]
    assert np.mean(values[-10:]) < 0.6 * np.mean(values[:10])


OTHER = {"optimiser": "amsgrad", "loss": "motionbert", "rate_schedule": PerEpoch(0.9)}


@pytest.mark.parametrize(
    ("combination", "changes"),
    [
        (small.NETWORK, {}),
        (small.NETWORK, {"any_schedule": True}),
        ("mixste.tiny-9+tpc:5@1+tra", {}),
        (small.NETWORK, OTHER),
    ],
)
def test_stopped_and_resumed_equals_uninterrupted(data, tmp_path, often, combination, changes):
    asked = recipe(data, combination, **changes)
    train(asked, tmp_path / "whole")

    number = signal.SIGTERM if combination == small.NETWORK else signal.SIGINT

    def interrupt(step, steps, loss):
        if step == 3:
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt) as stopped:
        train(asked, tmp_path / "parts", tick=interrupt)
    assert stopped.value.args == (128 + number,), "the exit code"
    assert not (tmp_path / "parts" / "weights.safetensors").exists()
    steps = []
    train(asked, tmp_path / "parts", tick=lambda step, *told: steps.append(step))
    assert steps == [4, 5, 6]
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_the_seed_alone_decides(data, tmp_path):
    paths = [
        train(recipe(data, seed=seed, steps=3), tmp_path / str(i))
        for i, seed in enumerate((0, 0, 1))
    ]
    first, again, other = (load_file(path) for path in paths)
    assert all(first[name].equal(again[name]) for name in first)
    assert all(not first[name].equal(other[name]) for name in first if "norm" not in name)


def killable(data, out):
    """A training run that saves its state after every step and may be killed."""
    training.SAVE_EVERY_S = 0.0
    history.APART = 1
    train(recipe((data,), steps=20, any_schedule=True), Path(out))


def steps_done(state):
    """Of a state that may be replaced meanwhile: `load_file` opens it twice, this once."""
    return int(load_bytes(state.read_bytes())["step"])


@pytest.mark.processes
@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted(data, tmp_path, often):
    asked = recipe(data, steps=20, any_schedule=True)
    whole = train(asked, tmp_path / "whole")
    points = json.loads(whole.with_suffix(".json").read_text())["history"]
    assert [step for step, _ in points] == list(range(2, 21, 2))
    out = tmp_path / "parts"
    code = f"import test_train; test_train.killable({data[0]!r}, {str(out)!r})"
    process = small.started("-c", code, cwd=tmp_path)
    state, deadline = out / "state.safetensors", time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if state.exists() and steps_done(state) >= 5:
            break
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "it ended before it was killed"
    assert 5 <= steps_done(state) < 20
    train(asked, out)
    assert files(out) == files(tmp_path / "whole")


def test_a_finished_run_trains_no_further(data, tmp_path):
    asked, steps = recipe(data, steps=2), []
    first = train(asked, tmp_path).read_bytes()
    again = train(asked, tmp_path, tick=lambda step, *told: steps.append(step))
    assert steps == [] and again.read_bytes() == first


def test_one_any_schedule_file_serves_every_pruner_and_recoverer(data, tmp_path):
    path = train(recipe(data, any_schedule=True), tmp_path / "trained")
    card = json.loads(path.with_suffix(".json").read_text())
    assert card["schedule"] == "any" and card["recipe"]["combination"] == small.NETWORK
    tensors = load_file(path)
    bench = small.runner(
        load(str(small.study(tmp_path))).with_overrides(None, str(path)), tmp_path / "r"
    )
    for part in ("", "+tps:5@0,3@2+tri", "+tps:3@1+tra", "+tpc:7@1,2@2+tri", "+tpc:5@0+tra"):
        combination = parse(small.NETWORK + part)
        lifter = bench.context.lifter(combination).eval()
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
    trained, drawn = Trainee(combination, any_schedule=True), []
    for seed in range(300):
        lifter = trained.draw(np.random.default_rng(seed), any_schedule=True)
        assert lifter.backbone is trained.backbone
        if lifter.schedule:
            pruner, recoverer = (
                Part(type(part).__name__.lower()) for part in (lifter.pruner, lifter.recoverer)
            )
            text = str(Combination("mixste", "tiny", frames, pruner, lifter.schedule, recoverer))
            drawn.append(parse(text))  # refuses r that do not fall below F, b that do not rise
    assert 0.6 < len(drawn) / 300 < 0.9
    assert {c.pruner.name for c in drawn} == set(cards.shipped("pruner"))
    assert {c.recoverer.name for c in drawn} == set(cards.shipped("recoverer"))
    assert {c.schedule[0][1] for c in drawn} == set(range(len(trained.backbone.blocks)))
    kept = {r for c in drawn for r, _ in c.schedule}
    assert min(kept) == trainee.LEAST and max(kept) == frames - 1
    assert {len(c.schedule) for c in drawn} >= ({1, 2, 3} if frames > 5 else {1})


def test_no_schedule_is_drawn_below_the_first_place_of_a_backbone():
    trained = Trainee(parse("ktpformer.tiny-9"), any_schedule=True)
    rng = np.random.default_rng(0)
    drawn = [trained.draw(rng, any_schedule=True).schedule for _ in range(60)]
    assert {b for schedule in drawn for _, b in schedule} == {1, 2, 3}


def test_without_a_recoverer_the_targets_are_those_of_the_kept_frames(data, tmp_path, monkeypatch):
    asked = recipe(data, "mixste.tiny-9+tpc:3@1", steps=1)
    pairs, batches = [], []
    draw = Sampler.batch

    def batch(self, rng, step, channels):
        batches.append(draw(self, rng, step, channels))
        return batches[-1]

    def loss(poses, targets):
        pairs.append((poses, targets))
        return usual(poses, targets)

    usual = LOSSES["mixste"]
    monkeypatch.setattr(Sampler, "batch", batch)
    monkeypatch.setitem(LOSSES, "mixste", loss)
    train(asked, tmp_path)
    (poses2d, poses3d), (poses, targets) = batches[0], pairs[0]
    assert poses.shape == targets.shape == (2, 3, 17, 3)
    torch.manual_seed(asked.seed)
    lifter = Trainee(parse(asked.combination), False).lifter[0].eval()
    frames = lifter(poses2d).frames  # (2, 3): other frames in each clip
    assert 4 in frames[0] and 4 in frames[1]
    assert targets.equal(torch.stack([poses3d[i, frames[i]] for i in range(2)]))


def test_a_batch_depends_on_seed_and_step_and_half_is_mirrored(data):
    sampler = sampled(recipe(data, batch=64))
    found = [sampler.batch(np.random.default_rng([0, step]), step, 2) for step in (3, 3, 4)]
    assert found[0][0].equal(found[1][0]) and found[0][1].equal(found[1][1])
    assert not found[0][0].equal(found[2][0])
    poses2d, poses3d = found[0]
    assert poses2d.shape == (64, 9, 17, 2) and poses3d.shape == (64, 9, 17, 3)
    assert poses3d[:, :, 0].abs().max() == 0
    assert 0.3 < poses3d.norm(dim=-1).max() < 2, "metres"
    views = make_views(sampler.sets[0].motion("train"), sampler.recipe.detections, "all")
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


def test_scoring_on_the_way_does_not_change_the_training(data, tmp_path, monkeypatch):
    seldom = train(recipe(data, any_schedule=True), tmp_path / "seldom")
    monkeypatch.setattr(history, "APART", 1)
    often = train(recipe(data, any_schedule=True), tmp_path / "often")
    cards = [json.loads(path.with_suffix(".json").read_text()) for path in (seldom, often)]
    assert [step for step, _ in cards[0]["history"]] == [6]
    assert [step for step, _ in cards[1]["history"]] == [1, 2, 3, 4, 5, 6]
    assert cards[0]["history"][-1] == cards[1]["history"][-1]
    assert often.read_bytes() == seldom.read_bytes()


def test_the_best_and_the_last_are_kept_apart(data, tmp_path, monkeypatch, often):
    seen, errors = [], iter([50.0, 40.0, 45.0, 40.0, 41.0, 42.0])

    def record(lifter, *arguments, **options):
        seen.append({k: v.clone() for k, v in lifter.state_dict().items()})
        return predict(lifter, *arguments, **options)

    monkeypatch.setattr(history, "predict", record)
    monkeypatch.setattr(history.metrics, "mpjpe", lambda *pair: torch.tensor([next(errors)]))
    monkeypatch.setattr(training, "final_scores", lambda *run: [])
    path = train(recipe(data), tmp_path)
    last, best = load_file(path), load_file(tmp_path / "best.safetensors")
    assert all(last[name].equal(seen[5][name]) for name in last)
    assert all(best[name].equal(seen[1][name]) for name in best)
    assert not best["backbone.embedding.weight"].equal(last["backbone.embedding.weight"])
    card, at_best = weights.read(path)[1], weights.read(tmp_path / "best.safetensors")[1]
    assert card["last"] == {"step": 6, "mpjpe": 42.0}
    assert card["best"] == {"step": 2, "mpjpe": 40.0} == at_best["last"], "the first of equals"
    assert card["history"][:2] == at_best["history"] == [[1, 50.0], [2, 40.0]]
    assert "optimistic" in card["note"] and at_best["schedule"] == "same"


def test_the_last_score_is_that_of_the_card(data, tmp_path, monkeypatch):
    monkeypatch.setattr(history, "WINDOWS", 150)
    card = weights.read(train(recipe(data, "mixste.tiny-9+tps:5@1", steps=1), tmp_path))[1]
    assert card["checked_on"] == card["scores"][0]["conditions"]
    assert card["last"]["mpjpe"] == pytest.approx(card["scores"][0]["accuracy.mpjpe"], rel=1e-6)


def test_half_precision_is_of_the_forward_pass_alone(data, tmp_path):
    losses = {}
    for precision in ("float32", "bfloat16"):
        asked = recipe(data, steps=2, precision=precision, any_schedule=True, seed=3)
        values = losses[precision] = []
        path = train(asked, tmp_path / precision, tick=lambda *told, v=values: v.append(told[2]))
        tensors, card = weights.read(path)
        assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
        assert card["recipe"]["precision"] == precision
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)
    assert losses["bfloat16"] != losses["float32"]
    assert training.usual_precision("cpu") == "float32"


def test_an_epoch_is_the_batches_that_fit_into_the_windows(data, tmp_path):
    asked = recipe(data, steps=None, epochs=2, batch=16)
    sampler = sampled(asked)
    windows = sum(len(index) for index in sampler.windows)
    assert sampler.epoch == windows // 16 > 1
    assert sampled(recipe(data, batch=windows + 1)).epoch == 1
    steps = []
    card = weights.read(train(asked, tmp_path, tick=lambda *told: steps.append(told[:2])))[1]
    assert steps[-1] == (2 * sampler.epoch, 2 * sampler.epoch)
    assert card["steps_per_epoch"] == sampler.epoch


def test_the_command_line_says_last_and_best(data, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["--data", data[0], "--batch", 64, "--epochs", 1, "--precision", "bfloat16"]
    assert small.call(monkeypatch, "train", small.NETWORK, *arguments, "--out", "run") == 0
    said = capsys.readouterr().err
    card = json.loads((tmp_path / "run" / "weights.json").read_text())
    assert f"last: {card['last']['mpjpe']:.1f} mm at step 1; best: " in said
    assert "best.safetensors" in said and "optimistic" in said
    assert card["recipe"]["epochs"] == 1 and card["recipe"]["precision"] == "bfloat16"


@pytest.fixture
def own_backbone(monkeypatch):
    """MixSTE under a name that has no recipe."""
    monkeypatch.setattr(BACKBONES, "registered", {})
    own = type("Own", (MixSTE,), {"card": BACKBONES.card("mixste")})
    BACKBONES.register("own")(own)


def test_a_backbone_of_ones_own_trains_by_the_default_recipe(data, tmp_path, own_backbone):
    asked = Recipe.of("own.tiny-9", data, steps=2, batch=2)
    assert asked.loss == "mpjpe" and train(asked, tmp_path).exists()


def test_the_best_is_chosen_on_a_training_subject_that_is_held_out(tmp_path, often):
    arrays = small.arrays()
    arrays["clip_subject"] = np.array(["A", "B", "C", "C"])
    np.savez(tmp_path / "two.npz", **arrays)
    two = (str(tmp_path / "two.npz"),)
    motion = sampled(recipe(two)).sets[0]
    chosen = typical(motion)
    assert chosen in "AB" and typical(small.motion()) == ""
    whole, part = sampled(recipe(two)), sampled(recipe(two, held_out=(chosen,)))
    kept = [clip for clip in motion.motion("train") if clip.subject != chosen]
    assert len(part.poses2d[0]) == 2 * 4 * sum(len(clip.positions) for clip in kept)
    assert len(part.poses2d[0]) < len(whole.poses2d[0])
    train(recipe(two, held_out=(chosen,)), tmp_path / "out")
    card = json.loads((tmp_path / "out" / "best.json").read_text())
    assert card["recipe"]["held_out"] == [chosen]
    assert f"on {chosen}, of the training" in card["note"]
    assert card["checked_on"]["data"] == f"two, {chosen}"
    ends = history.ends(tmp_path / "out" / "weights.safetensors")
    assert ends.endswith("chosen on a training subject that was held out")
    with pytest.raises(BenchError, match="no training subject 'D' to hold out"):
        train(recipe(two, held_out=("D",)), tmp_path / "other")


def test_training_at_a_third_of_the_rate_sees_every_third_frame(data, tmp_path):
    slow = sampled(recipe(data, every=3), "mixste.tiny-5")
    views = make_views(slow.sets[0].motion("train"), "cpn", "all")
    expected = np.concatenate(
        [views.poses2d[a:b:3] for a, b in zip(views.start, views.stop, strict=True)]
    )
    assert np.array_equal(slow.poses2d[0][: len(expected)], expected)
    train(recipe(data, every=3, combination="mixste.tiny-5"), tmp_path)
    card = json.loads((tmp_path / "weights.json").read_text())
    assert card["recipe"]["every"] == 3 and card["checked_on"]["frame_rate"] == 16.667


def test_any_schedule_names_what_it_draws(data):
    asked = recipe(data, any_schedule=True)
    assert {"tps", "tpc", "tra", "tri"} < set(asked.draws) and "log-uniform" in asked.draws[-1]
    some = Trainee(parse(small.NETWORK), True, ("tps", "tri"))
    rng = np.random.default_rng(0)
    drawn = [some.draw(rng, True) for _ in range(30)]
    assert {type(one.pruner).__name__ for one in drawn} == {"TPS", "NoneType"}
    assert set(some.recoverer) == {"tri"}
    plain = recipe(data).plain()
    assert not {"draws", "every", "held_out"} & plain.keys(), "recipes of before are the same"

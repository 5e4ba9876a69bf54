"""How long a training is: steps, epochs or minutes of computing; parts at once; the average."""

import json
from functools import partial
from time import perf_counter

import numpy as np
import pytest
import small
import torch
from safetensors.torch import load_file

from htpbench.errors import BenchError
from htpbench.learning.rates import Cosine
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import optimiser_of
from htpbench.systems import cards
from htpbench.systems.combination import parse
from htpbench.training import history, length
from htpbench.training import train as training
from htpbench.training.length import Length
from htpbench.training.run import Rising
from htpbench.training.sampler import Sampler
from htpbench.training.step import advance, at_once
from htpbench.training.train import train
from htpbench.training.trainee import Trainee


def recipe(data, combination=small.NETWORK, **changes):
    short = {"steps": 6, "batch": 4, "rate_schedule": Cosine(2), "parts": 1, "ema_decay": 0.0}
    return Recipe.of(combination, data, **{**short, **changes})


@pytest.fixture
def clock(monkeypatch):
    """A second a step, whatever the machine."""
    now = iter(range(10**6))
    monkeypatch.setattr(length.time, "process_time", lambda: next(now))
    monkeypatch.setattr(length.time, "monotonic", lambda: 1e9 * perf_counter())
    monkeypatch.setattr(history, "APART", 1)


def test_minutes_end_a_run_and_the_rate_falls_to_zero_by_then(data, tmp_path, clock, monkeypatch):
    rates, seen = [], []

    def spied(recipe, trainee, optimiser, sampler, step, rate, *rest):
        rates.append(rate)
        return advance(recipe, trainee, optimiser, sampler, step, rate, *rest)

    monkeypatch.setattr(training, "advance", spied)
    asked = recipe(data, steps=None, minutes=0.5, rate=1.0e-3)
    train(asked, tmp_path, tick=lambda *told: seen.append(told[:2]))
    assert len(rates) == 30 and seen[-1][0] == 30
    assert rates[-1] < 0.01 * max(rates) and np.argmax(rates) < 4
    card = json.loads((tmp_path / "weights.json").read_text())
    assert card["recipe"]["minutes"] == 0.5 and card["recipe"]["steps"] is None
    assert [step for step, _ in card["history"]] == [3 * i for i in range(1, 11)]


def test_a_run_of_minutes_goes_on_with_those_that_are_left(data, tmp_path, clock):
    asked = recipe(data, steps=None, minutes=0.5)

    def stopped(step, steps, loss):
        if step == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(asked, tmp_path, tick=stopped)
    state = load_file(tmp_path / "state.safetensors")
    assert state["seconds"] == state["step"] == 11, "the last that was saved"
    seen = []
    train(asked, tmp_path, tick=lambda step, steps, loss: seen.append(step))
    assert seen == [*range(12, 31)]


def test_a_second_is_the_shorter_of_two_clocks(monkeypatch):
    asked = recipe(("synthetic",), steps=None, minutes=1.0)
    for wall, cpu in ((5.0, 2.0), (2.0, 4.0)):
        told = {"monotonic": iter([1.0, 1.0 + wall]), "process_time": iter([7.0, 7.0 + cpu])}
        for name, clock in told.items():
            monkeypatch.setattr(length.time, name, partial(next, clock))
        one = Length(asked, 10, "cpu")
        one.begin()
        one.end()
        assert one.seconds == 2.0


def test_steps_of_a_run_of_minutes_are_told_from_the_pace():
    asked = recipe(("synthetic",), steps=None, minutes=1.0)
    half = Length(asked, 10, "cpu", seconds=30.0)
    assert half.total(100) == 200 and not half.over(100)
    assert Length(asked, 10, "cpu", seconds=60.0).over(7)
    assert Length(recipe(("synthetic",), steps=None, epochs=3), 10, "cpu").total(0) == 30


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan"), float("inf")])
def test_minutes_that_are_none_are_refused(minutes):
    with pytest.raises(BenchError, match="--minutes"):
        recipe(("synthetic",), steps=None, minutes=minutes)


def test_one_length_is_expected():
    with pytest.raises(BenchError, match="one of --steps, --epochs and --minutes"):
        recipe(("synthetic",), steps=3, minutes=1.0)


def gradients(asked, step=0):
    """The gradient of a step of a new network, and the loss."""
    torch.manual_seed(0)
    combination = parse(asked.combination)
    trainee = Trainee(combination, asked.any_schedule)
    sampler, optimiser = Sampler(asked, combination), optimiser_of(asked, trainee.parameters())
    with at_once(asked, trainee, "cpu") as over:
        loss = advance(asked, trainee, optimiser, sampler, step, 0.0, "cpu", over)
    return loss, {name: one.grad for name, one in trainee.named_parameters()}


@pytest.mark.parametrize("parts", [2, 3, 9])
@pytest.mark.parametrize("combination", [small.NETWORK, "d3dp.tiny-9", small.PRUNED])
def test_parts_at_once_have_the_gradient_of_the_batch(data, parts, combination):
    whole, gradient = gradients(recipe(data, combination))
    loss, found = gradients(recipe(data, combination, parts=parts))
    assert torch.allclose(loss, whole, rtol=1e-5) and loss.shape == ()
    for name, one in gradient.items():
        assert one is None or torch.allclose(one, found[name], rtol=1e-3, atol=1e-6), name
    again = gradients(recipe(data, combination, parts=parts))[1]
    assert all(one is None or torch.equal(one, again[name]) for name, one in found.items())


def test_threads_are_as_before_afterwards(data):
    asked = recipe(data, parts=2)
    before = torch.get_num_threads()
    gradients(asked)
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("combination", ["mixste.small-9", "strided.tiny-27", "hdformer.tiny-96"])
def test_passes_that_draw_or_count_are_not_lifted_at_once(data, combination):
    trainee = Trainee(parse(combination), False)
    with (
        pytest.raises(BenchError, match=r"parts = 2.*leave it out"),
        at_once(recipe(data, combination, parts=2), trainee, "cpu"),
    ):
        pass


def test_the_average_is_scored_and_written_and_goes_on_where_it_was(data, tmp_path, monkeypatch):
    asked = recipe(data, steps=8, ema_decay=0.9)
    whole = load_file(train(asked, tmp_path / "whole"))
    state = load_file(tmp_path / "whole" / "state.safetensors")
    assert state["average.count"] == 8
    name = "backbone.joint_code"
    assert torch.equal(whole[name], state[f"average.{name}"])
    assert not torch.equal(whole[name], state[f"model.{name}"])

    def stopped(step, steps, loss):
        if step == 5:
            raise RuntimeError("killed")

    monkeypatch.setattr(training, "SAVE_EVERY_S", 0.0)
    with pytest.raises(RuntimeError):
        train(asked, tmp_path / "cut", tick=stopped)
    resumed = load_file(train(asked, tmp_path / "cut"))
    assert all(torch.equal(one, resumed[key]) for key, one in whole.items())


def test_the_average_follows_by_a_decay_that_rises(data):
    average, told = [torch.zeros(1)], []
    for count in range(1, 200):
        Rising(0.99)(average, [torch.ones(1)], torch.tensor(count))
        told.append(1 - average[0].item())
    left = np.cumprod([min(0.99, (1 + n) / (10 + n)) for n in range(1, 200)])
    assert np.allclose(told, left, atol=1e-6)


@pytest.mark.parametrize(
    "more", [{"filmed": 1.0}, {"parts": 2}, {"ema_decay": 0.9}, {"begin": "mixste.tiny-81"}]
)
def test_a_state_is_not_resumed_without_what_it_was_trained_with(data, tmp_path, more):
    train(recipe(data, "mixste.tiny-81", steps=1, **more), tmp_path)
    with pytest.raises(BenchError, match=f"was trained with {next(iter(more))} = "):
        train(recipe(data, "mixste.tiny-81", steps=1), tmp_path)


def test_nobody_is_left_to_train_on(data):
    everybody = tuple({clip.subject for clip in small.motion().motion("train")})
    for filmed in (None, 1.0):
        asked = recipe(data, held_out=everybody, filmed=filmed)
        with pytest.raises(BenchError, match=r"nobody to train on.*--best-on test"):
            Sampler(asked, parse(asked.combination))


def test_a_detector_that_is_not_known_is_refused_at_once(data):
    asked = recipe(data, filmed=1.0, detectors=("gt",) * 15 + ("nobody",))
    with pytest.raises(BenchError, match="'nobody'"):
        Sampler(asked, parse(asked.combination))


def test_data_sets_of_the_same_clips_are_filmed_apart(data):
    asked = recipe(data * 2, filmed=1.0)
    first, second = Sampler(asked, parse(asked.combination)).poses2d
    assert first.shape == second.shape and not np.allclose(first, second)


def test_each_epoch_is_filmed_anew_and_the_same_again(data):
    asked = recipe(data, "mixste.tiny-9", filmed=1.0, detectors=("clean", "sh"), batch=2)
    sampler = Sampler(asked, parse("mixste.tiny-9"))
    batches = [sampler.batch(np.random.default_rng(0), step, 2) for step in (0, sampler.epoch, 0)]
    first, later, again = batches
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.allclose(first[0], later[0]) and not torch.allclose(first[1], later[1])
    held = Sampler(recipe(data, "mixste.tiny-9", filmed=1.0), parse("mixste.tiny-9"))
    assert len(held.poses2d[0]) == 2 * sum(len(c.positions) for c in small.motion().motion("train"))


@pytest.mark.parametrize("backbone", sorted(cards.shipped("backbone")))
def test_a_step_of_one_kernel_is_that_of_a_plain_optimiser(backbone, data):
    asked = recipe(data, small.tiny(backbone), batch=2)
    combination = parse(asked.combination)
    sampler = Sampler(asked, combination)
    steps = []
    for fused in (True, False):
        torch.manual_seed(0)
        trainee = Trainee(combination, False)
        optimiser = optimiser_of(asked, trainee.parameters())
        for group in optimiser.param_groups:
            group["fused"] = fused
        advance(asked, trainee, optimiser, sampler, 0, 1e-3, "cpu")
        for parameter in trainee.parameters():
            assert parameter.grad is None or parameter.grad.stride() == parameter.stride()
        steps.append([one.detach().clone() for one in trainee.parameters()])
    for one, plain in zip(*steps, strict=True):
        assert torch.allclose(one, plain, atol=1e-6)


def test_a_state_is_not_resumed_on_other_data_of_the_same_name(tmp_path):
    asked = recipe((str(small.motion_file(tmp_path)),), steps=1)
    train(asked, tmp_path / "out")
    arrays = small.arrays()
    np.savez(tmp_path / "motion.npz", **arrays | {"positions": arrays["positions"] + 1})
    with pytest.raises(BenchError, match=r"other data of the same name.*--runs"):
        train(asked, tmp_path / "out")


def test_data_without_test_clips_is_trained_on_unscored(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(history, "APART", 1)
    path = str(train_alone(tmp_path))
    out = tmp_path / "out"
    options = ("--steps", 3, "--batch", 2, "--best-on", "test", "--out", out)
    for _ in range(2):  # the second time there is nothing left to do
        assert small.call(monkeypatch, "train", small.NETWORK, "--data", path, *options) == 0
        assert "nothing was scored" in " ".join(capsys.readouterr().err.split())
    card = json.loads((out / "weights.json").read_text())
    assert card["history"] == card["scores"] == [] and "best" not in card
    both = recipe((path, str(small.motion_file(tmp_path))), steps=1)
    card = json.loads(train(both, tmp_path / "both").with_suffix(".json").read_text())
    assert [one["conditions"]["data"] for one in card["scores"]] == ["motion"]


def train_alone(folder):
    """A motion file of training clips alone, under names of their own."""
    arrays = small.arrays()
    changes = {"clip_split": ["train"] * 4, "clip_name": ["a", "b", "c", "d"]}
    changes["clip_subject"] = ["A", "B", "C", "D"]
    path = folder / "alone.npz"
    np.savez(path, **arrays | {name: np.array(one) for name, one in changes.items()})
    return path


def test_nobody_is_trained_and_tested_on_in_two_data_sets(tmp_path, data):
    arrays = small.arrays()
    turned = np.where(arrays["clip_split"] == "train", "test", "train")
    np.savez(tmp_path / "turned.npz", **arrays | {"clip_split": turned})
    asked = recipe((*data, str(tmp_path / "turned.npz")))
    with pytest.raises(BenchError, match=r"train and test of motion \+ turned"):
        Sampler(asked, parse(asked.combination))


def test_data_sets_of_one_name_have_a_fingerprint_each(tmp_path):
    paths = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        paths.append(str(small.motion_file(tmp_path / name)))
    card = train(recipe(tuple(paths), steps=1), tmp_path / "out").with_suffix(".json")
    assert [*json.loads(card.read_text())["fingerprints"]] == ["motion", "motion (2)"]

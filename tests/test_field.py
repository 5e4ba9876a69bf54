"""The field's data measured and trained on: official protocols, units, windows, what is printed."""

from __future__ import annotations

import json
from dataclasses import replace

import checkpoints
import human36m
import numpy as np
import pytest
import small
import test_motionbert as bert
import torch

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.learning.recipes import Recipe
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.official import USUAL, in_unit, official, usual_protocol
from htpbench.motion.protocols import PROTOCOLS, cut
from htpbench.motion.skeleton import MIRROR
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.systems import cards
from htpbench.systems.cards import Official
from htpbench.systems.combination import parse
from htpbench.training.held_out import held_out, typical
from htpbench.training.sampler import Sampler


@pytest.fixture
def h36m(tmp_path):
    return f"h36m:{human36m.written(tmp_path / 'h36m')}"


@pytest.fixture
def motionbert(tmp_path):
    return f"motionbert:{bert.written(tmp_path, bert.small())}"


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    return small.command_line(tmp_path, monkeypatch, capsys)


def drawn_weights(folder, text=small.NETWORK, **card):
    weights.write(folder / "w.safetensors", build(text).state_dict(), {"schedule": "same", **card})
    return folder / "w.safetensors"


def rows(folder, metric):
    lines = [line for path in folder.rglob("*.jsonl") for line in path.read_text().splitlines()]
    held = map(json.loads, lines)
    return [one for one in held if one.get("metric") == metric and "control" not in str(one)]


@pytest.mark.parametrize(
    ("layout", "text", "pruned", "expected"),
    [
        ("", "mixste", True, "once"),
        ("another's", "mixste", True, "once"),
        ("h36m", "mixste", False, "mixste"),
        ("h36m", "mixste", True, "hot"),
        ("h36m", "ktpformer", False, "mixste"),
        ("h36m", "d3dp", False, "d3dp"),
        ("h36m", "d3dp", True, "d3dp"),
        ("h36m", "mhformer", False, "hot"),
        ("motionbert", "motionbert", False, "motionbert"),
        ("motionbert", "motionagformer", True, "motionbert"),
        ("3dhp", "mixste", True, "3dhp"),
        ("3dhp", "motionagformer", False, "3dhp-centre"),
    ],
)
def test_each_family_has_its_protocol(layout, text, pruned, expected):
    assert usual_protocol(layout, parse(f"{text}-27").card, pruned) == expected
    assert expected in PROTOCOLS


def test_cards_name_protocols_and_units_that_there_are(h36m):
    views = open_data(h36m).views("test")
    told = [one for card in cards.shipped("backbone").values() for one in card.official.values()]
    assert told
    for one in told:
        assert {one.protocol, one.pruned or one.protocol} <= PROTOCOLS.keys()
        assert in_unit(views, one.unit).unit == one.unit


def test_units_of_what_networks_say(h36m):
    views = open_data(h36m).views("test")
    assert in_unit(views, "m") is views
    assert set(in_unit(views, "mm").scale) == {1} and set(in_unit(views, "half-width").scale) == {
        500
    }
    assert official("3dhp", parse("motionagformer-27").card).unit == "half-width"
    for unit, said in (("2.5D", "not scored on this data, which takes m"), ("ft", "'ft' of poses")):
        with pytest.raises(BenchError, match=said):
            in_unit(views, unit)


def test_networks_of_one_backbone_are_scored_by_one_protocol(tmp_path, h36m, run):
    path = drawn_weights(tmp_path)
    common = ("--data", h36m, "--weights", path, "--meter", "accuracy")
    assert run("run", small.NETWORK, *common, "--results", "whole")[0] == 0
    assert run("run", small.NETWORK, small.PRUNED, *common, "--results", "pruned")[0] == 0
    assert run("run", small.NETWORK, *common, "--protocol", "once", "--results", "ours")[0] == 0
    code, _, err = run("run", small.NETWORK, *common, "--protocol", "mixst", "--results", "none")
    assert code == 2 and "did you mean mixste?" in err
    used = {}
    for name in ("whole", "pruned", "ours"):
        found = rows(tmp_path / name, "accuracy.mpjpe")
        used[name] = {one["conditions"].get("protocol") for one in found}
        assert all(one["conditions"]["cameras"] == "all" for one in found)
    assert used == {"whole": {"mixste"}, "pruned": {"hot"}, "ours": {None}}


def test_what_the_field_prints_is_printed(tmp_path, h36m, run):
    path = drawn_weights(tmp_path)
    common = ("--data", h36m, "--weights", path, "--meter", "accuracy")
    code, out, _ = run("run", small.NETWORK, *common)
    assert code == 0 and "actions" in out and "Greeting" in out and "Walking" in out
    found = {name: rows(tmp_path, f"accuracy.{name}")[0] for name in ("mpjpe", "mpjpe_action_mean")}
    clips = rows(tmp_path, "accuracy.mpjpe_by_clip")[0]
    by_clip = dict(zip(clips["axis"], clips["value"], strict=True))
    assert set(by_clip) == {"S9/Greeting", "S9/Walking", "S11/Walking 2"}  # without S11/Directions
    walking = (by_clip["S9/Walking"] + by_clip["S11/Walking 2"]) / 2  # as long as each other
    expected = (walking + by_clip["S9/Greeting"]) / 2
    assert found["mpjpe_action_mean"]["value"] == pytest.approx(expected)
    conditions = found["mpjpe"]["conditions"]
    assert conditions["root"] == "pelvis, as predicted: its error counts"
    assert conditions["mean_over"] == "frames as often as windows show them"
    assert conditions["prepared"]["actions"] == "2 of 15"


def test_weights_that_say_another_unit_are_refused(tmp_path, motionbert, h36m, run):
    ours = drawn_weights(tmp_path, recipe={"combination": small.NETWORK})
    common = ("run", small.NETWORK, "--meter", "accuracy", "--data")
    code, _, err = run(*common, motionbert, "--weights", ours, "--results", "bert")
    assert code == 2 and "say poses in m, and this data is scored in 2.5D" in err
    # an official checkpoint does as the official code; its card is as `weights convert` writes it
    recipe = {"combination": small.NETWORK}
    theirs = drawn_weights(tmp_path, recipe=recipe, source={"file": "best.pth"})
    assert run(*common, motionbert, "--weights", theirs, "--results", "bert")[0] == 0
    ours = drawn_weights(tmp_path, recipe={"combination": small.NETWORK}, unit="2.5D")
    code, _, err = run(*common, h36m, "--weights", ours, "--results", "h36m")
    assert code == 2 and "say poses in 2.5D, and this data is scored in m" in err


def test_an_epoch_shows_each_window_and_its_mirror_image_once(h36m):
    recipe = Recipe.of("mixste.tiny-5", (h36m,), batch=3, steps=2, detections="gt")
    sampler = Sampler(recipe, parse("mixste.tiny-5"))
    assert len(sampler.windows[0]) == 2 * 4 * 3  # S1's takes, cameras, ceil(12 / 5)
    assert sampler.epoch == 2 * 24 // 3
    drawn = [sampler.next(step) for step in range(sampler.epoch)]
    assert sorted(np.concatenate(drawn).tolist()) == list(range(48))
    again = Sampler(recipe, parse("mixste.tiny-5")).next(5)
    assert again.tolist() == drawn[5].tolist()
    other = [sampler.next(sampler.epoch + step).tolist() for step in range(sampler.epoch)]
    assert other != [one.tolist() for one in drawn]
    rng = np.random.default_rng(0)
    poses2d, targets = sampler.batch(rng, 0, 2)
    first = sampler.windows[0][drawn[0] % 24].index
    views = sampler.sets[0].views("train", "gt")
    plain = drawn[0] < 24
    assert np.array_equal(poses2d.numpy()[plain], views.poses2d[first][plain][..., :2])
    assert np.allclose(targets.numpy()[plain], views.truth[first][plain] / 1000)
    one_frame = parse("mixste.tiny-5+tpc:3@1")
    centred = Sampler(replace(recipe, combination=str(one_frame)), one_frame)
    assert len(centred.windows[0]) == 2 * 4 * 12  # one a frame


@pytest.mark.parametrize(("protocol", "apart"), [("stcformer", 3), ("uplift", 5)])
def test_frames_of_training_lie_as_far_apart_as_those_that_are_scored(
    h36m, monkeypatch, protocol, apart
):
    row, one_frame = parse("motionbert.tiny-5"), parse("motionbert.tiny-5+tpc:3@1")
    recipe = Recipe.of(str(row), (h36m,), batch=4, steps=1, detections="gt")
    plain = Sampler(recipe, row).windows[0].index
    monkeypatch.setitem(USUAL, "h36m", Official(protocol=protocol))
    sampler = Sampler(recipe, row)
    spread = sampler.windows[0].index
    assert spread.shape == plain.shape and np.array_equal(spread[:, 2], plain[:, 2])
    steps = np.diff(spread[:, 1:4], axis=1)
    assert {0, apart} <= {*steps.ravel()}  # 0 where edges repeat
    assert ({0, apart} == {*steps.ravel()}) == (protocol == "uplift")  # which repeats its own
    each = Sampler(recipe, one_frame)
    views = each.sets[0].views("train", "gt", "all")
    expected = cut(views, 5, "seq2frame", 1, protocol).index
    assert np.array_equal(each.windows[0].index, expected)
    poses2d, targets = each.batch(np.random.default_rng(0), 0, 2)
    drawn = expected[each.next(0) % len(expected)]
    plainly = each.next(0) < len(expected)
    assert plainly.any()
    assert np.array_equal(poses2d.numpy()[plainly], views.poses2d[drawn][plainly][..., :2])
    assert np.allclose(targets.numpy()[plainly], views.truth[drawn][plainly] / 1000)


def test_what_is_trained_with_frames_apart_is_scored_so_on_the_way(
    tmp_path, h36m, run, monkeypatch
):
    monkeypatch.setitem(USUAL, "h36m", Official(protocol="stcformer"))
    monkeypatch.setattr("htpbench.training.history.WINDOWS", 150)  # all, as in the final scores
    options = ("--data", h36m, "--steps", 2, "--batch", 2, "--out", "h")
    assert run("train", "motionbert.tiny-5", *options)[0] == 0
    card = json.loads((tmp_path / "h" / "weights.json").read_text())
    assert card["scores"][0]["conditions"]["protocol"] == "stcformer"
    checked = card["checked_on"]
    assert checked["protocol"] == "stcformer" and checked["stride"] == 1
    assert card["last"]["mpjpe"] == pytest.approx(card["scores"][0]["accuracy.mpjpe"])


def test_anybody_is_scored_by_a_protocol_that_is_named(tmp_path, run):
    common = ("--weights", drawn_weights(tmp_path), "--data", small.motion_file(tmp_path))
    for protocol in ("stcformer", "uplift", "hdformer"):
        how = (*common, "--meter", "accuracy", "--protocol", protocol, "--results", protocol)
        code, out, _ = run("run", small.NETWORK, *how)
        assert code == 0 and "actions" in out
        [found] = rows(tmp_path / protocol, "accuracy.mpjpe")
        assert found["conditions"]["protocol"] == protocol and found["value"] > 0


def test_targets_of_25d_data_are_screen_units(motionbert):
    network = parse("motionbert.tiny-2")
    recipe = Recipe.of(str(network), (motionbert,), batch=1, steps=1, detections="sh")
    sampler = Sampler(recipe, network)
    assert sampler.unit == "2.5D" and sampler.epoch == 2  # two videos of two frames, either way
    image = bert.small()["train"]["joint3d_image"].astype(float)
    label = image / 500  # of images 1000 px wide; the offset goes with the root
    expected = label - label[:, :1]
    assert np.allclose(sampler.targets[0][:4], expected, atol=1e-6)


def test_a_training_subject_is_held_out_of_data_with_cameras_of_its_own(tmp_path):
    positions, points = human36m.world(), human36m.seen()
    positions["S5"], points["S5"] = positions["S1"], points["S1"]
    positions["S6"] = {key: clip[:9] for key, clip in positions["S1"].items()}
    points["S6"] = {key: [one[:9] for one in clip] for key, clip in points["S1"].items()}
    data = open_data(f"h36m:{human36m.written(tmp_path / 'd', positions, points)}")
    assert typical(data) == "S1"
    own = held_out(data, ["S6"])
    assert {take.subject for take in own.takes("test")} == {"S6"} and own.splits == ("test",)
    found = prepare(own, 5, "seq2seq")
    assert len(found.views.poses2d) == 2 * 4 * 9 and found.card["data"] == "h36m, S6"
    with pytest.raises(BenchError, match="for testing alone"):
        own.views("train")
    with pytest.raises(BenchError, match="no training subject 'S9'"):
        held_out(data, ["S9"])


def test_data_with_cameras_of_its_own_is_trained_on_alone(tmp_path, h36m, run):
    both = ("--data", h36m, "--data", "synthetic")
    code, _, err = run("train", "mixste.tiny-5", *both, "--steps", 2, "--out", "out")
    assert code == 2 and "h36m has cameras of its own" in err


def test_what_is_doubtful_is_said_once(tmp_path, run):
    points = human36m.seen()
    points["S9"] = {key: [one[:, MIRROR] for one in shots] for key, shots in points["S9"].items()}
    folder = human36m.written(tmp_path / "swapped", points=points)
    common = ("--data", f"h36m:{folder}", "--weights", drawn_weights(tmp_path))
    first, second = (run("run", small.NETWORK, *common, "--meter", "accuracy")[2] for _ in range(2))
    assert "left and right of the 2D are swapped" in first and "said once" in first
    assert "swapped" not in second
    assert run("data", "check", folder)[0] == 1
    cost = ("run", small.NETWORK, *common, "--meter", "cost", "--results", "other")
    assert "swapped" not in run(*cost)[2]  # nothing is measured on it


def test_training_is_told_in_official_terms(tmp_path, motionbert, h36m, run):
    options = ("--steps", 2, "--batch", 2, "--out")
    assert run("train", "mixste.tiny-5", "--data", h36m, *options, "h")[0] == 0
    card = json.loads((tmp_path / "h" / "weights.json").read_text())
    assert card["scores"][0]["conditions"]["protocol"] == "mixste" and "unit" not in card
    assert card["recipe"]["detections"] == "gt"
    assert run("train", "motionbert.tiny-2", "--data", motionbert, *options, "m")[0] == 0
    card = json.loads((tmp_path / "m" / "weights.json").read_text())
    assert card["unit"] == "2.5D" and card["scores"][0]["conditions"]["protocol"] == "motionbert"


def test_from_an_official_checkpoint_to_its_number(tmp_path, h36m, run, monkeypatch):
    golden = checkpoints.Golden(checkpoints.TINY, monkeypatch)
    torch.save({"model_pos": checkpoints.wrapped(golden.state)}, tmp_path / "official.bin")
    to = ("--as", golden.text, "--out", "mixste.safetensors")
    assert run("weights", "convert", "official.bin", *to)[0] == 0
    assert run("data", "check", h36m)[0] == 0
    common = ("--weights", "mixste.safetensors", "--data", h36m, "--meter", "accuracy")
    code, out, _ = run("run", golden.text, *common)
    assert code == 0 and "actions" in out
    found = rows(tmp_path, "accuracy.mpjpe_action_mean")[0]
    assert found["conditions"]["protocol"] == "mixste"
    assert found["conditions"]["weights"] == "mixste"


def test_an_image_without_a_width_is_told(h36m):
    views = replace(open_data(h36m).views("test"), widths=None)
    with pytest.raises(BenchError, match="need the images' widths"):
        in_unit(views, "half-width")

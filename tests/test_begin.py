"""Training that begins with weights: of the same F to the bit, of another with codes between."""

import hashlib
import json
import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from htpbench.errors import BenchError
from htpbench.learning.recipes import Recipe
from htpbench.network import weights
from htpbench.systems.cards import shipped
from htpbench.systems.combination import parse
from htpbench.training.begin import begin_with
from htpbench.training.train import train
from htpbench.training.trainee import Trainee

ONE_F = ("hdformer", "uplift")  # their sizes are built for one
OF_ANY_F = ("d3dp", "diffpose", "mixste", "motionbert", "stcformer")


def trainee(combination, any_schedule=True):
    return Trainee(parse(combination), any_schedule)


@pytest.mark.parametrize("backbone", sorted({*shipped("backbone")} - {*ONE_F}))
def test_only_codes_of_frames_are_brought_to_another_f(tmp_path, backbone):
    step = shipped("backbone")[backbone].multiple_of
    short, long = (f"{backbone}.tiny-{-(-frames // step) * step}" for frames in (27, 81))
    path = tmp_path / "short.safetensors"
    weights.write(path, trainee(short, False).state_dict(), {"schedule": "same"})
    if backbone in OF_ANY_F:
        begin_with(trainee(long, False), str(path))
        return
    with pytest.raises(BenchError, match=r"only codes of frames|has no backbone|has backbone"):
        begin_with(trainee(long, False), str(path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda code: code * torch.nan, "NaN"),
        (lambda code: code[:, :0], r"\[1, 0, 32\], expected \[1, 9, 32\]"),
        (lambda code: code.to(torch.complex64), "complex64"),
        (lambda code: code.to(torch.int8), "int8"),
        (lambda code: code.sum(), r"is \[\], expected"),
    ],
)
def test_what_is_no_code_is_refused(tmp_path, change, words):
    path, tensors = tmp_path / "odd.safetensors", trainee("mixste.tiny-9", False).state_dict()
    tensors["backbone.frame_code"] = change(tensors["backbone.frame_code"]).contiguous()
    weights.write(path, tensors, {"schedule": "same"})
    with pytest.raises(BenchError, match=rf"odd.safetensors: backbone.frame_code.*{words}"):
        begin_with(trainee("mixste.tiny-9", False), str(path))


def test_a_run_that_is_resumed_begins_with_its_state_alone(data, tmp_path):
    first = train(Recipe.of("mixste.tiny-9", data, steps=1, batch=2), tmp_path / "first")
    again = Recipe.of("mixste.tiny-9", data, steps=4, batch=2, begin=str(first))
    whole = load_file(train(again, tmp_path / "whole"))
    told = json.loads((tmp_path / "whole" / "weights.json").read_text())["begun_with"]
    assert told["recipe"]["steps"] == 1, "and how those came to be"

    def stopped(step, steps, loss):
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(again, tmp_path / "cut", tick=stopped)
    assert load_file(tmp_path / "cut" / "state.safetensors")["step"] == 2, "Ctrl-C in a tick saves"
    first.unlink()
    found = load_file(train(again, tmp_path / "cut"))
    assert all(torch.equal(one, found[key]) for key, one in whole.items())
    assert json.loads((tmp_path / "cut" / "weights.json").read_text())["begun_with"] == told


def test_weights_of_another_f_keep_all_but_the_codes_of_frames(tmp_path):
    short, path = trainee("mixste.tiny-9"), tmp_path / "short.safetensors"
    weights.write(path, short.state_dict(), {"schedule": "any"})
    long = trainee("mixste.tiny-17")
    told = begin_with(long, str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert told == {"begun_with": {"name": "short", "sha256": digest[:12]}}
    before, after = short.state_dict(), long.state_dict()
    unlike = [key for key in before if before[key].shape != after[key].shape]
    assert "backbone.frame_code" in unlike and len(unlike) < 4
    assert all(torch.equal(before[key], after[key]) for key in before if key not in unlike)
    codes, longer = before["backbone.frame_code"], after["backbone.frame_code"]
    assert torch.allclose(longer[:, ::2], codes, atol=1e-6), "those that were there"
    assert torch.allclose(longer[:, 1::2], (codes[:, 1:] + codes[:, :-1]) / 2, atol=1e-6)


def test_a_run_begins_with_them_and_its_card_says_so(data, tmp_path):
    short = {"batch": 2, "any_schedule": True, "rate": 1e-30, "weight_decay": 0.0}
    first = train(Recipe.of("mixste.tiny-9", data, steps=2, **short), tmp_path / "first")
    again = Recipe.of("mixste.tiny-9", data, steps=1, begin=str(first), seed=3, **short)
    found = load_file(train(again, tmp_path / "second"))
    assert all(torch.allclose(one, found[key]) for key, one in load_file(first).items())
    card = json.loads((tmp_path / "second" / "weights.json").read_text())
    assert card["begun_with"]["name"] == card["recipe"]["begin"] == "weights"
    assert str(tmp_path) not in json.dumps(card), "nobody else has that folder"


def test_a_recoverer_that_the_file_lacks_stays_as_drawn(tmp_path):
    path = tmp_path / "alone.safetensors"
    weights.write(path, trainee("mixste.tiny-9", False).state_dict(), {"schedule": "same"})
    more = trainee("mixste.tiny-9")
    before = {key: one.clone() for key, one in more.state_dict().items() if "recoverer" in key}
    begin_with(more, str(path))
    assert before and all(torch.equal(one, more.state_dict()[key]) for key, one in before.items())


@pytest.mark.parametrize("other", ["mixste.small-9", "motionbert.tiny-9", "d3dp.tiny-9"])
def test_weights_of_another_network_are_refused_by_the_parameter(tmp_path, other):
    path = tmp_path / "other.safetensors"
    weights.write(path, trainee(other, False).state_dict(), {"schedule": "same"})
    with pytest.raises(BenchError, match=r"other.safetensors.* backbone\."):
        begin_with(trainee("mixste.tiny-9"), str(path))

"""Outputs replace only what they may, follow no link, and inputs are what was named."""

import json
import os

import numpy as np
import pytest
import small
import torch
from safetensors.torch import save_file

from htpbench.errors import BenchError
from htpbench.gate import pinned
from htpbench.network import weights
from htpbench.outside.drafts import draft, write_file
from htpbench.poses import npz as poses
from htpbench.records.rows import Row
from htpbench.training import checkpoint

LIFT = ["lift", small.NETWORK, "--weights", "random", "--data", "motion.npz", "--out"]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line in a folder with a motion file: (exit code, stderr)."""
    small.motion_file(tmp_path)
    run = small.command_line(tmp_path, monkeypatch, capsys)
    return lambda *arguments: run(*arguments)[::2]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_a_draft_has_a_name_of_its_own_and_goes_with_an_error(tmp_path):
    path = tmp_path / "a.txt"
    with draft(path) as one, draft(path) as other:
        one.write(b"one")
        other.write(b"other")
        assert one.name != other.name
    assert contents(tmp_path) == {"a.txt": b"one"}, "the last to end is there, whole"
    with pytest.raises(KeyboardInterrupt), draft(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert contents(tmp_path) == {"a.txt": b"one"}


def test_a_draft_follows_no_link_and_keeps_the_usual_mode(tmp_path):
    (tmp_path / "private").write_text("mine")
    (tmp_path / "a.txt").symlink_to("private")
    before = os.umask(0o027)
    try:
        write_file(tmp_path / "a.txt", b"new")
    finally:
        os.umask(before)
    assert (tmp_path / "private").read_text() == "mine"
    assert not (tmp_path / "a.txt").is_symlink()
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_file_called_as_drafts_once_were_stays(call, tmp_path):
    names = ("poses.part", "w.part", "w.json.part", "gate.jsonl.part")
    for name in names:
        (tmp_path / name).write_text("mine")
    assert call(*LIFT, "poses.npz")[0] == 0
    weights.write(tmp_path / "w.safetensors", {"a": torch.ones(1)}, {})
    pinned.write(tmp_path / "gate.jsonl", pinned.Rows({}, [{"id": "e"}]))
    assert {(tmp_path / name).read_text() for name in names} == {"mine"}
    assert {path.suffix for path in tmp_path.iterdir()} == {
        ".part", ".npz", ".safetensors", ".json", ".jsonl"
    }  # fmt: skip


def other_arrays(path):
    np.savez(path, poses=np.ones(3))


def poses_and_more(path):
    np.savez(path, **dict.fromkeys((*poses.ALWAYS, "notes"), np.ones(3)))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(small.motion_file(path.parent).read_bytes()),
        other_arrays,
        poses_and_more,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("notes"),
        lambda path: path.mkdir(),
        lambda path: os.mkfifo(path),
        lambda path: path.symlink_to("motion.npz"),
        lambda path: path.symlink_to("nowhere.npz"),
    ],
    ids=["motion", "arrays", "more", "empty", "text", "folder", "fifo", "link", "dangling"],
)
def test_lift_replaces_nothing_but_poses(call, tmp_path, make):
    make(tmp_path / "out.npz")
    before = contents(tmp_path)
    code, err = call(*LIFT, "out.npz")
    assert code == 2 and "out.npz is there and holds no lifted poses" in err
    assert contents(tmp_path) == before and not (tmp_path / "nowhere.npz").exists()


def test_lift_does_not_replace_its_input(call, tmp_path):
    before = contents(tmp_path)
    os.link(tmp_path / "motion.npz", tmp_path / "again.npz")
    for name in ("motion.npz", "./motion.npz", "again.npz"):
        assert call(*LIFT, name)[0] == 2
    assert (tmp_path / "motion.npz").read_bytes() == before["motion.npz"]


def test_lift_replaces_poses(call, tmp_path):
    assert call(*LIFT, "poses.npz")[0] == 0
    with np.load(tmp_path / "poses.npz") as first:
        assert set(first.files) > set(poses.ALWAYS)
        one = first["poses"]
    assert call(*LIFT, "poses.npz", "--seed", 1)[0] == 0
    with np.load(tmp_path / "poses.npz") as second:
        assert not np.array_equal(one, second["poses"])


def test_what_came_while_lifting_stays(call, tmp_path, monkeypatch):
    arrays = poses.arrays

    def slow(*arguments):
        (tmp_path / "out.npz").write_text("mine")
        return arrays(*arguments)

    monkeypatch.setattr(poses, "arrays", slow)
    assert call(*LIFT, "out.npz")[0] == 2
    assert (tmp_path / "out.npz").read_text() == "mine"


@pytest.mark.processes
def test_two_lifts_to_one_file_both_end_well(tmp_path):
    small.motion_file(tmp_path)
    two = [small.started("-m", "htpbench", *LIFT, "poses.npz", cwd=tmp_path) for _ in range(2)]
    assert [small.finished(process)[0] for process in two] == [0, 0]
    with np.load(tmp_path / "poses.npz") as found:
        assert np.isfinite(found["poses"]).all()
    assert {path.name for path in tmp_path.iterdir()} == {"motion.npz", "poses.npz"}


TRAIN = ["train", small.NETWORK, "--data", "motion.npz", "--batch", 2, "--steps", 1, "--out", "t"]


@pytest.mark.parametrize("name", ["weights.safetensors", "best.safetensors", "best.json"])
def test_training_does_not_replace_other_weights(call, tmp_path, name):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / name).write_text("mine")
    code, err = call(*TRAIN)
    assert code == 2 and f"t/{name} is there" in err and "--out" in err
    assert contents(tmp_path / "t") == {name: b"mine"}


def test_training_begins_beside_the_card_of_its_own_state_alone(call, tmp_path):
    card = tmp_path / "t" / "state.json"
    card.parent.mkdir()
    card.write_text('{"serial": 3}')
    assert call(*TRAIN)[0] == 2 and card.read_text() == '{"serial": 3}'
    card.write_text(json.dumps({"recipe": {}}))  # killed before the state itself was there
    assert call(*TRAIN)[0] == 0
    checkpoint.vacant(tmp_path / "new" / "state.safetensors")


def row(**changes):
    fields = {"study": "gate", "combination": "mixste.tiny-9", "metric": "cost.flops", "value": 1}
    return Row(**{"key": "k", "unit": "FLOP", "environment": "e"} | fields | changes)


@pytest.mark.parametrize(
    "text",
    [
        "notes\n",
        json.dumps(vars(row(study="demo"))) + "\n",
        json.dumps(vars(row())) + "\n" + json.dumps(vars(row(combination="control: x"))) + "\n",
        json.dumps(vars(row())) + "\n" + json.dumps(vars(row(status="failed", value=None))) + "\n",
    ],
    ids=["text", "another study", "a control", "a failure"],
)
def test_pinning_replaces_nothing_but_pinned_rows(tmp_path, text):
    path = tmp_path / "gate.jsonl"
    path.write_text(text)
    new = pinned.Rows({("mixste.tiny-9", "cost.flops"): row(value=2)}, [{"id": "e"}])
    with pytest.raises(BenchError, match="something else than pinned rows of gate"):
        pinned.write(path, new)
    assert path.read_text() == text
    path.unlink()
    for _ in range(2):
        pinned.write(path, new)
    (tmp_path / "link.jsonl").symlink_to("gate.jsonl")
    with pytest.raises(BenchError, match="something else"):
        pinned.write(tmp_path / "link.jsonl", new)


def test_weights_without_tensors_are_no_weights(call, tmp_path):
    save_file({}, tmp_path / "none.safetensors")
    (tmp_path / "none.json").write_text('{"schedule": "any"}')
    code, err = call("run", small.NETWORK, "--meter", "accuracy", "--weights", "none.safetensors")
    assert code == 2 and "none.safetensors holds no tensors" in err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", "demo", "--weights", ""],
        ["sweep", "demo", "--weights="],
        ["sweep", "demo", "--data", ""],
        ["run", small.NETWORK, "--meter", "accuracy", "--weights", ""],
        ["run", small.NETWORK, "--meter", "cost", "--data="],
        ["lift", small.NETWORK, "--weights", ""],
        ["sweep", "demo", "--results", ""],
        ["cost", small.NETWORK, "--study", ""],
        ["sweep", "demo", "--storage", ""],
    ],
    ids=" ".join,
)
def test_an_empty_value_is_refused(call, tmp_path, arguments):
    code, err = call(*arguments)
    assert code == 2 and "the value is empty" in err
    assert not (tmp_path / "results").exists() and not list(tmp_path.glob("*/*.jsonl"))


@pytest.mark.parametrize("line", ['weights = ""', 'weights = "random"\n[evaluation]\ndata = ""'])
def test_a_study_with_an_empty_name_is_refused(call, tmp_path, line):
    path = tmp_path / "s.toml"
    path.write_text(f'title = "t"\nmeters = ["cost"]\ncombinations = ["{small.NETWORK}"]\n{line}\n')
    code, err = call("sweep", "s.toml")
    assert code == 2 and "left out" in err


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--data", "nowhere.npz"], "there is no file nowhere.npz"),
        (["--weights", "nothing.safetensors"], "nothing.safetensors: No such file"),
    ],
)
@pytest.mark.parametrize("verb", ["sweep small.toml", f"run {small.NETWORK} --meter cost"])
def test_what_nothing_measures_is_checked_all_the_same(call, tmp_path, option, words, verb):
    verb = verb.split()
    small.study(tmp_path)
    code, err = call(*verb, *option)
    assert code == 2 and words in err
    assert not list(tmp_path.rglob("*.jsonl"))
    assert call(*verb, "--data", "motion.npz", "--weights", "random")[0] == 0

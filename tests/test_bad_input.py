"""What users get wrong: exit code 2, what was wrong and the remedy on stderr, no traceback."""

import json
import os
import pickle
import re

import numpy as np
import pytest
import small
import torch
from safetensors.torch import save_file

from htpbench.network import weights
from htpbench.network.build import build
from htpbench.systems import registry


@pytest.fixture
def refused(monkeypatch, capsys, tmp_path):
    """Runs a command that must be refused in an empty folder; returns its message, unwrapped."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = small.call(monkeypatch, *arguments)
        out, err = capsys.readouterr()
        assert code == 2, f"exit code {code}: {out}{err}"
        assert out == "", "what was wrong belongs on stderr"
        assert "error: " in err and "Traceback" not in err
        return " ".join(err.partition("error: ")[2].split())

    return run


def says(message, *words):
    for word in words:
        assert word in message, f"{word!r} is not in {message!r}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "mixtse-243"], ["unknown backbone 'mixtse'", "mixste"]),
        (["plan", "mixste.tny-243"], ["unknown variant of mixste 'tny'", "tiny"]),
        (["plan", "mixste-243+tpx:81@3"], ["unknown pruner 'tpx'", "tpc"]),
        (["plan", "mixste-243+tps:81@3+trx"], ["unknown recoverer 'trx'", "tri"]),
        (["plan", "mixste-243+tpc~j=2:81@3"], ["unknown option of tpc 'j'", "k"]),
        (["sweep", "demmo"], ["unknown study 'demmo'", "demo"]),
        (["cost", "--study", "demmo"], ["unknown study 'demmo'", "demo"]),
        (["report", "table11"], ["unknown study 'table11'", "table9"]),
        (["sweep", "gone.toml"], ["study gone.toml", "No such file"]),
        (["swep"], ['Unknown command "swep"', '"sweep"']),
        (["sweep", "--sed", "3"], ["Unknown option: --sed", "--seed"]),
        (["run", "mixste-243", "--meter", "speed"], ["unknown meter 'speed'", "time"]),
        (["cost", "mixste-243", "--format", "xml"], ['"xml"', "json"]),
        (["cost"], ["nothing to do", "--study"]),
        (["run"], ["requires an argument"]),
        (["train", "mixste.tiny-9"], ["--data"]),
        (["plan", "mixste-243+tps:81@0,121@3"], ["r = 121 after 81 frames", "1 to 80"]),
        (["plan", "mixste-243+tps:243@0"], ["r = 243 after 243 frames", "1 to 242"]),
        (["plan", "mixste-243+tps:81@8"], ["b = 8", "from 0 to 7"]),
        (["plan", "mixste-243+tps:81@3,49@3"], ["b = 3 after b = 3", "rising"]),
        (["plan", "mixste-0"], ["F = 0", "at least one frame"]),
        (["plan", "mixste-243+tps:81@3+tri:244"], ["f = 244", "1 to F = 243"]),
        (["plan", "mixste-243+tps:81@3[/x]"], ["'mixste-243+tps:81@3[/x]'"]),
        (["plan", "mixste-243[red]+tpx:1"], ["'243[red]'"]),
        (["plan", ""], ["the number of frames is missing", "mixste-243"]),
        (["run", "mixste.tiny-9", "--meter", "accuracy"], ["accuracy", "needs weights"]),
        (["run", "mixste.tiny-9", "--seed", "-1"], ["--seed -1", "0 or more"]),
        (["sweep", "--seed", "-1"], ["--seed -1", "0 or more"]),
        (["run", "mixste.tiny-9", "--seed", "x"], ["--seed", '"x"']),
        (["sweep", "--timeout", "inf"], ["--timeout", "at most 10000000"]),
        (["sweep", "--timeout", "nan"], ["--timeout", "at most 10000000"]),
        (["view", "a.npz", "--frames", "3"], ["--frames", "--strip FILE"]),
        (["table", "demo", "--columns", "cost.flops", "--format=csv", "--label=a"], ["LaTeX"]),
        (["compare", ".", ".", "--results", "r"], ["--results", "folders already"]),
        (["weights", "convert", ".", "--as", "mixste-243"], ["expected the file of a checkpoint"]),
        (["run", "mixste.tiny-9", "--device", "gpu"], ["device 'gpu'", "try cpu"]),
        (["run", "mixste.tiny-9", "--device", "meta"], ["device 'meta'", "try cpu"]),
        (["sweep", "--device", "gpu"], ["device 'gpu'", "try cpu"]),
    ],
    ids=lambda value: " ".join(value) if value and "--" not in value[0] else None,
)
def test_names_numbers_and_options(refused, arguments, words):
    says(refused(*arguments), *words)


def test_a_study_that_searches_alone_lists_nothing(refused, tmp_path):
    text = '[search]\nbackbone = "mixste.tiny-9"\npruners = ["tps"]\nrecoverers = ["tri"]\n'
    path = small.study(tmp_path, f"{text}trials = 1", combinations=[])
    says(refused("cost", "--study", str(path)), "lists no combinations", f"--study {path} --rank")


def test_a_device_that_is_not_here(refused):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    says(refused("run", "mixste.tiny-9", "--device", "cuda"), "device 'cuda'", "try cpu")


GOOD = 'title = "t"\nmeters = ["cost"]\ncombinations = ["mixste.tiny-9"]\n'
SEARCH = (
    'title = "t"\nmeters = ["cost"]\nobjectives = ["cost.flops"]\n[search]\ntrials = 2\n'
    'backbone = "mixste.tiny-9"\npruners = ["tps"]\nrecoverers = ["tri"]\n'
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + 'wieghts = "random"\n', ["unknown key 'wieghts'", "weights"]),
        (GOOD + "[evaluation]\nwindow = 3\n", ["'evaluation.window'", "windows"]),
        (SEARCH + "stage = 3\n", ["'search.stage'", "stages"]),
        ("title = = 3\n", ["is not valid TOML", "line 1"]),
        (GOOD.replace("tiny-9", "tiny-9+tps:9@1"), ["r = 9 after 9 frames", "1 to 8"]),
        (GOOD + 'reference = "mixste.tny-9"\n', ["unknown variant", "tiny"]),
        (GOOD.replace('"cost"', '"cots"'), ["unknown meter 'cots'", "cost?"]),
        (GOOD.replace('title = "t"\n', ""), ["title", "required"]),
        (GOOD + 'name = "a/b"\n', ["name", "pattern"]),
        (GOOD + "objectives = []\n", ["objectives", "at least 1"]),
        (GOOD + 'objectives = ["cost.flop"]\n', ["unknown objective 'cost.flop'", "cost.flops"]),
        (GOOD + 'objectives = ["accuracy.mpjpe"]\n', ["'accuracy.mpjpe'", "cost.flops"]),
        (SEARCH.replace('objectives = ["cost.flops"]\n', ""), ["'time.speedup'", "cost.flops"]),
        (SEARCH.replace('"tps"', '"tpx"'), ["unknown pruner 'tpx'", "tps"]),
        (SEARCH + "least = 9\n", ["search.least = 9", "less than F = 9"]),
        (SEARCH.replace("tiny-9", "tiny-9+tps:3@1"), ["expected a backbone alone"]),
        (SEARCH.replace("trials = 2", "trials = 0"), ["search.trials", "greater than"]),
        ('title = "t"\nmeters = ["cost"]\n', ["needs `combinations` or a [search] space"]),
        (GOOD.replace('"cost"', '"accuracy"'), ["needs weights"]),
        (
            GOOD.replace('"cost"', '"cost", "accuracy"')
            + 'weights = "random"\n[evaluation]\ndetections = "cnp"\n',
            ["unknown 2D source 'cnp'", "cpn"],
        ),
    ],
)  # fmt: skip
def test_studies(refused, tmp_path, text, words):
    (tmp_path / "mine.toml").write_text(text)
    says(refused("sweep", "mine.toml"), *words)
    assert not (tmp_path / "reports").exists()


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return (os.mkdir, ("trapped",))


def truncated(path):
    path.write_bytes(small.motion_file(path.parent).read_bytes()[:-3000])


def pickled(path):
    np.savez(path, **{**small.arrays(), "clip_name": np.array([Trap()] * 4, dtype=object)})


def a_pickle(path):
    path.write_bytes(pickle.dumps(Trap()))


def without_a_key(path):
    arrays = small.arrays()
    del arrays["clip_split"]
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (truncated, ["not a readable npz", "copy the file again"]),
        (pickled, ["clip_name is object", "expected text"]),
        (a_pickle, ["not a readable npz"]),
        (without_a_key, ["lacks clip_split", "expected positions"]),
        (lambda path: None, ["there is no file", '"synthetic"']),
    ],
    ids=["truncated", "pickled", "a_pickle", "without_a_key", "missing"],
)
@pytest.mark.parametrize("verb", ["run", "train"])
def test_motion(refused, tmp_path, write, words, verb):
    path = tmp_path / "data.npz"
    write(path)
    options = {"run": ["--meter", "accuracy", "--weights", "random"], "train": ["--steps", "1"]}
    says(refused(verb, "mixste.tiny-9", "--data", path, *options[verb]), "data.npz", *words)
    assert not (tmp_path / "trapped").exists(), "a pickle was executed"
    assert not (tmp_path / "runs").exists()


def test_the_trap_would_spring(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Trap()))
    assert (tmp_path / "trapped").exists()


def test_motion_that_is_neither(refused):
    message = refused("run", "mixste.tiny-9", "--meter", "accuracy", "--weights", "random",
                      "--data", "syntetic")  # fmt: skip
    says(message, "unknown motion 'syntetic'", '"synthetic"')


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    lifter = build("mixste.tiny-9")
    return {key: value.clone() for key, value in lifter.state_dict().items()}


ANY = {"schedule": "any"}


def with_missing_keys(path, tensors):
    del tensors["backbone.joint_code"]
    weights.write(path, tensors, ANY)


def for_another_size(path, tensors):
    weights.write(path, build("mixste.tiny-27").state_dict(), ANY)


def without_its_recoverer(path, tensors):
    weights.write(path, tensors, ANY)


def garbage(path, tensors):
    path.write_bytes(pickle.dumps(Trap()))


def without_a_card(path, tensors):
    save_file(tensors, path)


def with_another_card(path, tensors):
    weights.write(path, tensors, {"step": 3})


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (with_missing_keys, ["do not fit mixste.tiny-9", "missing: backbone.joint_code (1)"]),
        (for_another_size, ["wrong shape: backbone.frame_code", "27", "not [1, 9, 32]"]),
        (
            without_its_recoverer,
            ["do not fit mixste.tiny-9+tps:3@1+tra", "missing: recoverer.attention"],
        ),
        (garbage, ["not a readable safetensors file"]),
        (without_a_card, ["mine.json", "card cannot be read"]),
        (with_another_card, ["which schedules", "htpbench train"]),
        (lambda path, tensors: None, ["mine.safetensors: No such file"]),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_weights(refused, tmp_path, tensors, write, words):
    motion = small.motion_file(tmp_path)
    write(tmp_path / "mine.safetensors", tensors)
    combinations = ["mixste.tiny-9", "mixste.tiny-9+tps:3@1+tra"]
    message = refused("run", *combinations, "--meter", "accuracy", "--data", motion,
                      "--weights", "mine.safetensors")  # fmt: skip
    says(message, *words)
    assert not (tmp_path / "trapped").exists(), "a pickle was executed"


def test_weights_that_have_no_such_name(refused):
    message = refused("sweep", "demo", "--weights", "mixste.tny-81")
    says(message, "unknown weights 'mixste.tny-81'", "did you mean mixste.tiny-81")


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", "small.toml", "--results", "file/below"],
        ["sweep", "small.toml", "--results", "file"],
        ["cost", "--study", "small.toml", "--results", "file/below"],
        ["run", "mixste.tiny-9", "--meter", "cost", "--results", "file/below"],
        ["report", "small.toml", "--results", "file"],
        ["sweep", "small.toml", "--reports", "file/below"],
        ["train", "mixste.tiny-9", "--data", "motion.npz", "--out", "file/below"],
    ],
    ids=" ".join,
)
def test_folders_that_cannot_be_written(refused, tmp_path, monkeypatch, capsys, arguments):
    small.study(tmp_path)
    (tmp_path / "file").write_text("in the way")
    if "--reports" in arguments:  # its rows and its table come first
        nowhere = type("Nowhere", (), {"print": lambda *_, **__: 0})
        monkeypatch.setattr("htpbench.cli.reading.out", nowhere)
        monkeypatch.setattr("htpbench.cli.measuring.out", nowhere)
    message = refused(*arguments)
    says(message, "file", "Not a directory")
    assert re.search(r"choose another|name another|mend", message)
    assert (tmp_path / "file").read_text() == "in the way"


def test_doctor_names_a_results_folder_that_cannot_be_written(monkeypatch, capsys, tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert small.call(monkeypatch, "doctor", "--results", tmp_path / "file" / "below") == 2
    out = capsys.readouterr().out
    assert "wrong" in out and "--results" in " ".join(out.split())


def test_a_report_without_rows(refused, tmp_path):
    small.study(tmp_path)
    says(refused("report", "small.toml"), "no rows of small", "htpbench sweep", "--results")


def test_results_of_a_newer_version(refused, tmp_path):
    small.study(tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.jsonl").write_text(json.dumps({"schema": 99}) + "\n")
    says(refused("report", "small.toml"), "new.jsonl:1 has schema 99", "upgrade htpbench")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("gone.py", None, ["gone.py: no such file"]),
        ("notes.txt", b"", ["notes.txt: expected a Python file (.py)"]),
        ("bad.py", b"x = 1\ny = (\n", ["bad.py, line 2: SyntaxError", "never closed", "mend it"]),
        ("bad.py", b"x = '\xff'\n", ["bad.py, line 1: SyntaxError", "utf-8"]),
        ("bad.py", b"\nimport no_such_thing\n", ["bad.py, line 2", "no_such_thing"]),
        ("bad.py", b"def f():\n    1 / 0\n\nf()\n", ["bad.py, line 2: ZeroDivisionError"]),
        ("bad.py", b"import json\n\njson.loads('x')\n", ["bad.py, line 3: JSONDecodeError"]),
        (
            "bad.py",
            b"from htpbench.systems.registry import PRUNERS\n\nPRUNERS.register('tps')(object)\n",
            ["the pruner name 'tps' is taken", "choose another"],
        ),
    ],
)
def test_files_to_import(refused, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    says(refused("--import", name, "ls"), *words)
    assert "tps" not in registry.PRUNERS.registered


TRAIN = ["--data", "motion.npz"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mixste.tiny-9+tps:3@1+tri", "--any-schedule"], ["--any-schedule", "backbone alone"]),
        (["mixste.tiny-3", "--any-schedule"], ["--any-schedule", "F above 3"]),
        (["mixste.tiny-9", "--steps", "0"], ["--steps 0", "1 or more"]),
        (["mixste.tiny-9", "--minutes", "0"], ["--minutes 0", "above 0"]),
        (["mixste.tiny-9", "--minutes", "1", "--steps", "3"], ["one of --steps", "--minutes"]),
        (["mixste.tiny-9", "--recipe", "none.toml"], ["none.toml"]),
        (["mixste.tiny-9", "--begin", "none"], ["weights 'none'", "mixste.tiny-81"]),
        (["mixste.small-9", "--begin", "mixste.tiny-81"], ["mixste.tiny-81", "size and F"]),
        (["mixste.tiny-9", "--recipe", "motion.npz"], ["motion.npz", "recipe"]),
        (["mixste.tiny-9", "--batch", "0"], ["--batch 0", "1 or more"]),
        (["mixste.tiny-9", "--rate", "-1"], ["--rate -1", "above 0"]),
        (["mixste.tiny-9", "--rate", "nan"], ["--rate nan", "above 0"]),
        (["mixste.tiny-9", "--seed", "-3"], ["--seed -3", "0 or more"]),
        (["mixste.tiny-9", "--device", "gpu"], ["device 'gpu'", "try cpu"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("m") else None,
)
def test_training(refused, tmp_path, arguments, words):
    small.motion_file(tmp_path)
    says(refused("train", *TRAIN, "--out", "trained", *arguments), *words)
    assert not (tmp_path / "trained").exists()


def test_training_resumed_with_another_recipe(refused, monkeypatch, capsys, tmp_path):
    small.motion_file(tmp_path)
    command = ["train", "mixste.tiny-9", *TRAIN, "--out", "trained", "--steps"]
    monkeypatch.chdir(tmp_path)
    assert small.call(monkeypatch, *command, "1") == 0
    capsys.readouterr()
    before = {p.name: p.read_bytes() for p in (tmp_path / "trained").iterdir()}
    says(refused(*command, "2"), "steps = 1, not 2", "--out")
    says(refused(*command, "1", "--seed", "5"), "seed = 0, not 5", "--out")
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "trained").iterdir()}


def test_training_resumed_from_a_broken_state(refused, tmp_path):
    small.motion_file(tmp_path)
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "state.safetensors").write_bytes(b"\xff" * 40)
    message = refused("train", "mixste.tiny-9", *TRAIN, "--out", "trained")
    says(message, "state.safetensors is not a readable safetensors file")

"""Files that `htpbench new` begins: they work as they stand."""

from pathlib import Path

import pytest
import small

from htpbench.study.loading import load

RUN = {
    "pruner": "mixste.tiny-9+mine:3@1+tri",
    "recoverer": "mixste.tiny-9+tps:3@1+mine",
    "backbone": "mine-9",
}


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    return small.command_line(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("kind", [*RUN, "meter"])
def test_a_system_runs_and_keeps_its_contract(call, tmp_path, kind):
    code, out, _ = call("new", kind, "mine")
    assert code == 0 and out.splitlines()[-1].startswith("next: htpbench --import mine.py run ")
    assert {path.name for path in tmp_path.iterdir()} == {"mine.py", "test_mine.py"}
    asked = [RUN[kind]] if kind in RUN else [small.NETWORK, "--meter", "mine"]
    code, out, err = call(
        "--import", "mine.py", "run", *asked, *(["--meter", "cost"] * (kind in RUN))
    )
    assert code == 0 and asked[0] in out, err
    arguments = "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"
    code, out, err = small.finished(small.started(*arguments, cwd=tmp_path))
    assert code == 0 and "passed" in out, out + err


def test_a_study_can_be_swept(call):
    code, out, _ = call("new", "study", "mine")
    assert code == 0 and "next: htpbench sweep mine.toml" in out
    study = load("mine.toml")
    assert study.name == "mine" and len(study.parsed()) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pruner", "tps"], "tps is a pruner of htpbench itself"),
        (["meter", "time"], "time is a meter of htpbench itself"),
        (["pruner", "My-Pruner"], "expected a name of small letters"),
        (["pruner", "../up"], "expected a name of small letters"),
        (["study", "there"], "there.toml is there already"),
        (["study", "demo"], "demo is a study of htpbench itself"),
        (["pruner", "test_it"], "expected a name of small letters"),
        (["pruner", "none"], "expected a name of small letters"),
        (["pruner", 100 * "a"], "expected a name of small letters"),
        (["engine", "mine"], "engine"),
    ],
)
def test_what_cannot_be_begun_is_refused_and_nothing_is_written(call, tmp_path, arguments, words):
    (tmp_path / "there.toml").write_text("mine")
    code, _, err = call("new", *arguments)
    assert code == 2 and words in " ".join(err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["there.toml"]
    assert Path("there.toml").read_text() == "mine"

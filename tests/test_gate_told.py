"""What a gate says to machines, what it requires of speed, and the gate as a test of pytest."""

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import small
from paths import ROOT

from htpbench.errors import BenchError
from htpbench.gate import pinned, telling
from htpbench.gate.finding import INCOMPLETE, REGRESSION, Finding, Judgement
from htpbench.gate.required import required, requirements
from htpbench.records.row import Row
from htpbench.study.constraint import parse
from htpbench.study.loading import load

HOW_TO = (ROOT / "docs" / "how-to" / "ci.md").read_text()
EVIL = "</failure>\x1b[31m|"


def row(metric, value, name=small.NETWORK, **more):
    more = {"unit": "1", **more}
    key = f"{name} {metric}"
    return Row(
        key=key, study="s", combination=name, metric=metric, value=value, environment="e", **more
    )


@pytest.fixture
def judged():
    """One number of each state."""
    counted = row("cost.params", 1)
    findings = [
        Finding(counted, "same", "1", "1", "+0", "any change"),
        Finding(row("accuracy.mpjpe", 40.0, unit="mm"), "worse", "39 mm", "40 mm", "+1 mm", EVIL),
        Finding(row("accuracy.p_mpjpe", 30.0, unit="mm"), "better", "31", "30", "-1 mm", "rule"),
        Finding(counted, "missing", why="pinned, but not measured"),
        Finding(row("time.speedup", 1.3), "kept", found="1.30 x", why="required: a"),
        Finding(row("time.speedup", 1.2), "unsure", found="1.20 x", why="required: a"),
    ]
    nothing = pinned.Rows({}, [])
    return Judgement("gate", findings, nothing, nothing)


def test_json_has_every_number_and_its_state(judged):
    told = json.loads(telling.render(judged, "json"))
    assert told["exit_code"] == REGRESSION and told["study"] == "gate"
    states = [one["state"] for one in told["numbers"]]
    assert states == [one.state for one in judged.findings]
    assert told["numbers"][1]["difference"] == "+1 mm"
    assert (
        told["summary"]
        == "1 regressed, 1 not compared, 2 numbers as pinned, 1 as required, 1 undecided"
    )
    assert [note.split(" ")[1] for note in told["notes"]] == ["accuracy.p_mpjpe", "time.speedup"]


def test_junit_counts_tests_failures_and_errors(judged):
    suite = ElementTree.fromstring(telling.render(judged, "junit"))
    assert {suite.get(name) for name in ("failures", "errors")} == {"1"}
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases) == len(judged.findings)
    (failure,), (error,) = (suite.findall(f"testcase/{kind}") for kind in ("failure", "error"))
    assert "pinned 39 mm, found 40 mm, +1 mm" in failure.get("message")
    assert "\\x1b[31m" in failure.get("message"), "control characters are shown"
    assert error.get("message") == "pinned, but not measured"


def test_markdown_has_what_fails_alone(judged):
    text = telling.render(judged, "markdown")
    assert text.startswith("### gate: 1 regressed")
    assert "accuracy.mpjpe" in text and "any change" not in text
    assert EVIL not in text


@pytest.mark.parametrize(
    ("seconds", "limit", "state"),
    [(0.5, 1.9, "kept"), (0.5, 2.1, "worse"), (0.5, 2.0, "unsure"), (1.0, 1.5, "worse")],
)
def test_an_interval_keeps_a_limit_as_a_whole(seconds, limit, state):
    spread = [seconds * more for more in (0.99, 1.0, 1.01, 0.995, 1.005)]
    rows = pinned.comparable(small.timed(small.PRUNED, spread))
    limits = [parse(f"time.speedup >= {limit}")]
    (found,) = required(limits, pinned.Rows(rows, []), small.NETWORK)
    assert (found.row.combination, found.state) == (small.PRUNED, state)
    assert f"{1 / seconds:.2f} [" in found.found and f">= {limit:g}" in found.why


def test_the_reference_is_not_asked_what_it_gains_over_itself():
    rows = pinned.comparable(small.timed(small.NETWORK, [1.0] * 5))
    after = pinned.Rows(rows, [])
    assert not [*required([parse("time.speedup >= 2")], after, small.NETWORK)]
    assert [one.state for one in required([parse("time.p90 <= 2")], after, small.NETWORK)] == [
        "kept"
    ]


def test_a_time_of_a_busy_machine_is_not_compared():
    rows = pinned.comparable(small.timed(small.PRUNED, [0.5] * 5, probe=[0.5]))
    after = pinned.Rows(rows, [])
    (found,) = required([parse("time.speedup >= 3")], after, small.NETWORK)
    assert found.state == "missing" and "close what runs beside it" in found.why
    assert Judgement("s", [found], after, after).code == INCOMPLETE


def test_what_a_study_does_not_measure_is_not_required_of_it():
    with pytest.raises(BenchError, match='add "time" to its meters'):
        requirements(["time.speedup >= 1"], load("gate"))
    with pytest.raises(pinned.Unmeasured, match=r"nothing has time\.speedup"):
        [*required([parse("time.speedup >= 1")], pinned.Rows({}, []), small.NETWORK)]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line beside a study of cost and time whose numbers are pinned."""
    small.motion_file(tmp_path)
    small.study(tmp_path, name="mine", meters=["cost", "time"])
    run = small.command_line(tmp_path, monkeypatch, capsys)
    monkeypatch.setattr("htpbench.gate.required.noise", lambda *_: "")  # tests run beside it
    assert run("check", "--study", "mine.toml", "--pin")[0] == 0
    return lambda *more: run("check", "--study", "mine.toml", *more)


def test_the_verb_requires_and_speaks_to_machines(call):
    code, out, _ = call("--require", "time.p90 <= 1e6", "--format", "json")
    told = json.loads(out)
    assert code == told["exit_code"] == 0 and "2 as required" in told["summary"]
    code, out, _ = call("--require", "time.p90 <= 0", "--format", "junit")
    assert code == REGRESSION and ElementTree.fromstring(out.encode()).get("failures") == "2"
    code, out, _ = call("--require", "time.p90 <= 0 ms", "--wait-quiet", 0.0001)
    assert code == REGRESSION and "required: time.p90 <= 0" in out


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--require", "time.p90"], "expected METRIC <= NUMBER"),
        (["--require", "accuracy.mpjpe <= 1"], "does not measure accuracy.mpjpe"),
        (["--pin", "--require", "time.p90 <= 1"], "--pin judges nothing"),
        (["--pin", "--format", "json"], "--pin judges nothing"),
    ],
)
def test_wrong_requirements_are_refused_before_anything_is_measured(call, more, words):
    code, out, err = call(*more)
    assert (code, out) == (2, "") and words in err


@pytest.mark.slow
def test_the_fixture_of_pytest_and_the_action_as_the_documentation_shows_them(tmp_path):
    (test,) = re.findall(r"```python\n# (test_gate.py)\n(.*?)```", HOW_TO, re.DOTALL)
    asked = test[1].replace("gated", "mine").replace("time.speedup >= 1.05", "cost.flops <= 1e12")
    (tmp_path / test[0]).write_text(asked)  # times are noisy beside other tests
    small.motion_file(tmp_path)
    small.study(tmp_path, name="mine", meters=["cost"])
    (step,) = re.findall(r"- run: (htpbench check .*) >> ", HOW_TO)
    action = step.removeprefix("htpbench ").replace("gated", "mine").split()

    def ended(*arguments):
        return small.finished(small.started("-m", *arguments, cwd=tmp_path))

    assert ended("htpbench", *action)[0] == 4, "nothing is pinned yet"
    assert ended("htpbench", "check", "--study", "mine.toml", "--pin")[0] == 0
    code, out, err = ended("htpbench", *action)
    assert code == 0 and out.startswith("### mine: "), out + err
    asked = "pytest", "-q", "-p", "no:cacheprovider"
    code, out, err = ended(*asked)
    assert code == 0 and "1 passed" in out, out + err
    line = Path(tmp_path, "mine.pinned.jsonl").read_text()
    Path(tmp_path, "mine.pinned.jsonl").write_text(line.replace('"cost.params"', '"cost.parms"'))
    code, out, err = ended(*asked)
    assert code == 1 and "not compared" in out, out + err

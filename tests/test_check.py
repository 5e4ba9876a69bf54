"""The gate: planted regressions in real runs, rules, pinned files, exit codes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import small
import torch

from htpbench.backbones.mixste import MixSTE
from htpbench.errors import BenchError
from htpbench.gate import check, finding, pinned, telling, tolerance
from htpbench.gate.finding import Judgement
from htpbench.network import lifter, weights
from htpbench.network.build import build
from htpbench.pruners.tps import TPS
from htpbench.records.rows import row_key
from htpbench.study.loading import load
from htpbench.study.settings import EvaluationSettings
from htpbench.study.study import Study
from htpbench.systems.combination import parse

CLUSTERED = "mixste.tiny-9+tpc:3@1+tri"
KEPT, MPJPE, FLOPS = (
    (small.PRUNED, "selection.kept"),
    (small.NETWORK, "accuracy.mpjpe"),
    "cost.flops",
)
SEARCH = """
[search]
backbone = "mixste.tiny-9"
pruners = ["tps"]
recoverers = ["tri"]
trials = 1
"""
EMPTY = pinned.Rows({}, [])
GATED = 3 * (5 + 2) + 2  # parameters and operations, two errors; kept frames of two pruned ones


def tiny_weights(folder, moved=0.0):
    """Weights of tiny-9; `moved` is added to one of the numbers that make poses of features."""
    folder.mkdir()
    torch.manual_seed(0)
    tensors = build(small.NETWORK).state_dict()
    tensors["backbone.regression.1.weight"][1, 21] += moved
    weights.write(folder / "tiny.safetensors", tensors, {"schedule": "any"})
    return str(folder / "tiny.safetensors")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gate")
    return Study(
        name="gate",
        title="",
        meters=["cost", "accuracy", "selection"],
        combinations=[small.NETWORK, small.PRUNED, CLUSTERED],
        weights=tiny_weights(folder / "a"),
        evaluation=EvaluationSettings(data=str(small.motion_file(folder)), windows=4, flip=False),
    )


@pytest.fixture(scope="module")
def before(study):
    """What was pinned."""
    return check.measure(study)


def again(study, before, **changes):
    """The study measured anew with changes, and the findings about what it measures."""
    changed = study.model_copy(update=changes)
    after = check.measure(changed)
    of_meters = tuple(f"{meter}." for meter in changed.meters)
    rows = {p: row for p, row in before.rows.items() if p[1].startswith(of_meters)}
    findings = check.compare(replace(before, rows=rows), after, {})
    return after, findings


def states(findings, state):
    return {(one.row.combination, one.row.metric) for one in findings if one.state == state}


def with_row(rows, place, **changes):
    return replace(rows, rows={**rows.rows, place: replace(rows.rows[place], **changes)})


def the(findings, place):
    (found,) = (f for f in findings if (f.row.combination, f.row.metric) == place)
    return found


def ends(findings):
    return Judgement("gate", findings, EMPTY, EMPTY).code


def lines_of(findings, before, after):
    return telling.table(Judgement("gate", findings, before, after))


def test_a_weight_that_moved_is_a_regression(study, before, tmp_path):
    others = tiny_weights(tmp_path / "b", moved=1e-2)
    after, findings = again(study, before, weights=others, meters=["accuracy"])
    assert ends(findings) == finding.REGRESSION
    found = the(findings, MPJPE)
    assert found.state == "worse" and found.why == "worse by more than 0.0001 mm"
    change = after.rows[MPJPE].value - before.rows[MPJPE].value
    assert found.difference == f"{change:+.4f} mm" and 0.05 < change < 10
    *_, note, summary = lines_of(findings, before, after)
    assert "note: the weights' SHA-256 begins with" in note and "regressed" in summary


def test_a_frame_kept_elsewhere_is_a_regression(study, before, monkeypatch):
    monkeypatch.setattr(
        TPS, "select", lambda self, view, r: torch.tensor([[0, 5, 8]]).repeat(len(view.kept), 1)
    )
    _, findings = again(study, before, meters=["selection"])
    assert states(findings, "worse") == {KEPT}
    assert ends(findings) == finding.REGRESSION
    said = ("4", "5", "window 0, rank 1; 2 of 3 in common", "another frame")
    assert the(findings, KEPT)[2:] == said


def test_frames_in_another_order_are_not_measured(study, before, monkeypatch):
    select = TPS.select
    monkeypatch.setattr(TPS, "select", lambda *asked: select(*asked).flip(1))
    _, findings = again(study, before, meters=["accuracy", "selection"])
    failed = {(small.PRUNED, name) for name in ("accuracy.mpjpe", "accuracy.p_mpjpe")}
    assert states(findings, "missing") == {*failed, KEPT}
    assert "TPS returned positions that do not rise" in the(findings, min(failed)).why


def test_an_operation_more_is_a_regression(study, before, monkeypatch):
    head = MixSTE.head
    monkeypatch.setattr(
        MixSTE, "head", lambda self, x: head(self, x @ torch.eye(x.shape[-1], device=x.device))
    )
    name = {"combinations": [small.NETWORK], "meters": ["cost"]}
    _, findings = again(study, before, **name)
    found = the(findings, (small.NETWORK, FLOPS))
    assert found.state == "worse" and found.difference == f"+{2 * 9 * 17 * 32 * 32:,} FLOP"
    assert the(findings, (small.NETWORK, "cost.params")).state == "same"


@pytest.mark.parametrize("change", [1, -1])
def test_any_change_of_cost_fails_and_says_what_to_do(before, change):
    value = before.rows[small.NETWORK, FLOPS].value
    after = with_row(before, (small.NETWORK, FLOPS), value=value + change)
    (found,) = (one for one in check.compare(before, after, {}) if one.state != "same")
    assert found.difference == f"{change:+} FLOP" and "--pin it" in found.why
    assert found.pinned == f"{value:,} FLOP"


def without(rows, place):
    return replace(rows, rows={p: row for p, row in rows.rows.items() if p != place})


def test_what_cannot_be_compared_is_named(before):
    row = before.rows[MPJPE]
    changed = row.conditions | {"windows": "3 of 9", "stride": 3, "weights_sha256": "0"}
    told = 'stride: 3, pinned 9; windows: "3 of 9", pinned "4 of'
    cases = [
        (before, without(before, MPJPE), "pinned, but not measured"),
        (without(before, MPJPE), before, "measured, but not pinned: --pin it"),
        (before, with_row(before, MPJPE, status="failed", reason="x"), "failed: x"),
        (before, with_row(before, MPJPE, conditions=changed), told),
        (before, with_row(before, MPJPE, unit="m"), 'unit: "m", pinned "mm"'),
        (
            with_row(before, MPJPE, key=row_key(*MPJPE, row.conditions, 0)),
            before,
            "another version",
        ),
        (with_row(before, KEPT, value=[0], axis=["window 0, rank 0"]), before, "other windows"),
    ]
    for one, other, words in cases:
        findings = check.compare(one, other, {})
        assert ends(findings) == finding.INCOMPLETE
        (place,) = states(findings, "missing")
        assert words in the(findings, place).why
        *_, summary = lines_of(findings, one, other)
        assert summary == f"0 regressed, 1 not compared, {len(findings) - 1} numbers as pinned"


def test_a_regression_outranks_what_is_missing_and_nothing_measured_is_no_pass(before):
    worse = with_row(before, MPJPE, value=1e3)
    assert ends(check.compare(before, without(worse, KEPT), {})) == finding.REGRESSION
    nothing = replace(before, rows={})
    assert ends(check.compare(before, nothing, {})) == finding.INCOMPLETE
    assert ends(check.compare(nothing, nothing, {})) == finding.INCOMPLETE


def test_what_got_better_is_a_note(before):
    after = with_row(before, MPJPE, value=before.rows[MPJPE].value - 0.4)
    findings = check.compare(before, after, {})
    assert ends(findings) == 0
    note, _ = lines_of(findings, before, after)
    assert "is better by more than the rule (-0.4000 mm): --pin it" in note


def test_other_metrics_are_gated_when_asked(before):
    place = small.NETWORK, "accuracy.pck"
    after = with_row(before, place, value=before.rows[place].value - 1)
    assert ends(check.compare(before, after, {})) == 0
    for limit, code in (("0.5", finding.REGRESSION), ("2", 0)):
        asked = tolerance.parse_rules([f"accuracy.pck:+{limit}%"], {"accuracy.pck": "%"})
        assert ends(check.compare(before, after, asked)) == code


def test_kept_frames_of_another_machine_may_differ_a_little_unless_the_pruner_is_static(before):
    long = {"axis": [f"window 0, rank {i}" for i in range(40)]}
    places = (KEPT, (CLUSTERED, "selection.kept"))
    elsewhere = [{**before.environments[0], "torch": "0"}]
    for changed, other, worse in [
        (1, before.environments, set(places)),
        (2, elsewhere, {KEPT}),
        (3, elsewhere, set(places)),
    ]:
        one, two = before, before
        for place in places:
            one = with_row(one, place, value=list(range(40)), **long)
            two = with_row(two, place, value=list(range(changed, 40 + changed)), **long)
        findings = check.compare(one, replace(two, environments=other), {})
        assert states(findings, "worse") == worse


def test_pinned_rows_come_back_as_they_went(before, tmp_path):
    path = tmp_path / "gate.jsonl"
    for _ in range(2):
        pinned.write(path, before)
        assert list(tmp_path.iterdir()) == [path]
    read = pinned.read(path)
    assert read.rows == before.rows
    assert [{"kind": "environment", **facts} for facts in before.environments] == read.environments


def test_pinning_again_changes_the_lines_of_what_moved_alone(before, tmp_path):
    path = tmp_path / "gate.jsonl"
    pinned.write(path, before)
    first = path.read_text().splitlines()
    assert all(line.startswith('{"combination": ') for line in first[1:])
    later = {p: replace(row, at="2030-01-01T00:00:00Z") for p, row in before.rows.items()}
    moved = with_row(replace(before, rows=later), MPJPE, value=1.0)
    pinned.write(path, moved)
    lines = path.read_text().splitlines()
    changed = [one for one, was in zip(lines, first, strict=True) if one != was]
    assert len(changed) == 1 and '"value": 1.0' in changed[0] and "2030" in changed[0]


def test_what_failed_is_not_pinned_and_a_folder_that_is_none_is_named(before, tmp_path):
    path = tmp_path / "gate.jsonl"
    path.write_text("as it was")
    failed = with_row(before, MPJPE, status="failed", value=None, reason="x")
    with pytest.raises(pinned.Unmeasured, match=r"accuracy\.mpjpe: failed, x; mend it"):
        pinned.write(path, failed)
    assert path.read_text() == "as it was"
    with pytest.raises(BenchError, match="--against"):
        pinned.write(path / "below", before)


def test_times_are_not_pinned(before, tmp_path):
    rows = pinned.comparable(small.timed(small.NETWORK, [1.0] * 5, probe=[0.5]))
    pinned.write(tmp_path / "a.jsonl", replace(before, rows=before.rows | rows))
    assert pinned.read(tmp_path / "a.jsonl").rows == before.rows
    assert pinned.holds("sampling.flops") and not pinned.holds("sampling.speedup")


def test_rows_of_controls_and_failures_are_not_compared(before, tmp_path):
    control = replace(before.rows[MPJPE], combination="control: mean pose")
    failed = replace(before.rows[MPJPE], status="failed", value=None)
    path = tmp_path / "gate.jsonl"
    rows = {("control", ""): control, ("failed", ""): failed}
    path.write_text("".join(json.dumps(vars(row)) + "\n" for row in rows.values()))
    assert pinned.read(path).rows == {}


@pytest.fixture
def call(study, before, monkeypatch, capsys, tmp_path):
    """`htpbench check` with the tiny study: (exit code, stdout, stderr)."""
    monkeypatch.setattr("htpbench.study.loading.load", {"gate": study}.get)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = small.call(monkeypatch, "check", *arguments)
        return (code, *capsys.readouterr())

    return run


def test_the_verb_pins_and_what_did_not_change_passes(call, before, tmp_path):
    assert call("--against", "mine.jsonl", "--pin")[:2] == (0, "pinned: mine.jsonl\n")
    assert call("--against", "mine.jsonl")[:2] == (0, f"{GATED} numbers as pinned\n")
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.jsonl"], "nothing else is left behind"
    numbers = {place: row.value for place, row in pinned.read(tmp_path / "mine.jsonl").rows.items()}
    assert numbers == {place: row.value for place, row in before.rows.items()}


def test_the_verb_fails_on_a_regression(call, before, monkeypatch, tmp_path):
    value = before.rows[small.NETWORK, FLOPS].value
    other = with_row(without(before, KEPT), (small.NETWORK, FLOPS), value=value + 1000)
    pinned.write(tmp_path / "mine.jsonl", other)
    monkeypatch.setattr(check, "measure", lambda *_: before)
    code, out, _ = call("--against", "mine.jsonl")
    assert code == finding.REGRESSION
    assert "-1,000 FLOP" in out and "measured, but not pinned" in out
    assert f"1 regressed, 1 not compared, {GATED - 2} numbers as pinned" in out
    assert call("--against", "mine.jsonl", "--fail", "cost.flops:+0")[0] == finding.INCOMPLETE


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "mine.jsonl: No such file or directory; name a file of rows"),
        (b"\xff\n", "mine.jsonl:1 is not a row"),
        (b'{"kind": "environment"}\n{"schema": 1, "key"\n', "mine.jsonl:2 is not a row"),
        (b'{"schema": 1, "key": "k"}\n', "mine.jsonl:1 is not a row"),
        (b"[]\n", "mine.jsonl:1 is not a row"),
        (b'{"schema": 99}\n', "schema 99, above 1: upgrade htpbench"),
    ],
)
def test_files_that_cannot_be_read_exit_with_4(call, tmp_path, content, words):
    if content is not None:
        (tmp_path / "mine.jsonl").write_bytes(content)
    code, out, err = call("--against", "mine.jsonl")
    assert (code, out) == (4, "") and words in err


def test_wrong_usage_exits_with_2(call, before, tmp_path):
    pinned.write(tmp_path / "mine.jsonl", before)
    for arguments, words in [
        (["--fail", "accuracy.mpjp:+1mm"], "did you mean accuracy.mpjpe"),
        (["--fail", "time.forward:+1%"], "unknown metric 'time.forward'"),
        (["--fail", "cost.params:+0", "--pin"], "--pin judges nothing"),
        (["--agianst", "x"], "--against"),
    ]:
        code, _, err = call("--against", "mine.jsonl", *arguments)
        assert code == 2 and words in err


def test_nothing_measured_exits_with_3(call, before, monkeypatch, tmp_path):
    def broken(*_):
        raise RuntimeError("broken [on purpose]")

    monkeypatch.setattr(lifter.Lifter, "forward", broken)
    pinned.write(tmp_path / "mine.jsonl", before)
    code, out, _ = call("--against", "mine.jsonl")
    assert code == 3 and "failed: RuntimeError: broken [on purpose]" in out
    assert f"0 regressed, {GATED} not compared, 0 numbers as pinned" in out
    code, _, err = call("--against", "other.jsonl", "--pin")
    assert code == 3 and "nothing is pinned" in err and not (tmp_path / "other.jsonl").exists()


def test_a_study_of_ones_own_is_pinned_beside_its_file(monkeypatch, capsys, tmp_path):
    small.motion_file(tmp_path)
    small.study(tmp_path, name="mine", meters=["cost"])
    call = small.command_line(tmp_path, monkeypatch, capsys)
    asked = "check", "--study", "mine.toml"
    code, _, err = call(*asked)
    assert code == 4 and "mine.pinned.jsonl" in err and "--pin" in err
    assert call(*asked, "--pin")[1] == "pinned: mine.pinned.jsonl\n"
    assert call(*asked)[:2] == (0, "10 numbers as pinned\n")
    pinned_as = Path("mine.pinned.jsonl").read_text()
    small.study(tmp_path, name="mine", meters=["cost"], combinations=[small.NETWORK, CLUSTERED])
    code, out, _ = call(*asked)
    assert code == 3 and "pinned, but not measured" in out and "measured, but not pinned" in out
    assert Path("mine.pinned.jsonl").read_text() == pinned_as


def test_data_and_weights_of_a_gated_study_may_be_others(call, before, tmp_path):
    pinned.write(tmp_path / "mine.jsonl", before)
    code, out, _ = call("--against", "mine.jsonl", "--data", "synthetic")
    assert code == 3 and "fingerprint" in out
    others = tiny_weights(tmp_path / "others", moved=1e-2)
    code, out, _ = call("--against", "mine.jsonl", "--weights", others)
    assert code == 1 and "note: the weights' SHA-256 begins with" in out


def test_what_trains_or_searches_alone_is_not_gated(monkeypatch, capsys, tmp_path):
    small.study(tmp_path, name="search", combinations=[], text=SEARCH)
    call = small.command_line(tmp_path, monkeypatch, capsys)
    code, _, err = call("check", "--study", "search.toml", "--pin")
    assert code == 2 and "expected `combinations`" in err


def test_what_comes_with_the_package_is_pinned():
    rows = pinned.read(pinned.pinned_file("gate")).rows
    gate = load("gate")
    assert {name for name, _ in rows} == set(gate.combinations) and "time" not in gate.meters
    for text in gate.combinations:
        gated = {"accuracy.mpjpe", "accuracy.p_mpjpe", FLOPS}
        assert gated <= {metric for name, metric in rows if name == text}
        assert bool(parse(text).schedule) == ((text, pinned.KEPT) in rows)

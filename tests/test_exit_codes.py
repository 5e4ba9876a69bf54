"""Exit codes: the table of docs/cli.md, verb by verb."""

import os
import re
import signal

import pytest
import small
import torch
from paths import ROOT

from htpbench.checking.verdict import Verdict
from htpbench.exporting.agreement import Agreement
from htpbench.gate.finding import Finding, Judgement
from htpbench.gate.pinned import Rows
from htpbench.measuring import counting
from htpbench.network.contracts import Pruner
from htpbench.records.row import Row
from htpbench.systems.registry import PRUNERS

FAILING = "mixste.tiny-9+tps:3@1+tri"
TABLE = ["table", "small.toml", "--columns"]
# What each verb calls first of all; stopped there it must end by its column.
STOPPED = {
    "ls": (["ls"], "htpbench.cli.listing.listing"),
    "plan": (["plan", small.NETWORK], "htpbench.cli.listing.plan_table"),
    "status": (["status", "small.toml"], "htpbench.report.progress.progress_table"),
    "cite": (["cite", "small.toml"], "htpbench.report.citations.bibliography"),
    "completion": (["completion", "bash"], "cyclopts.App.generate_completion"),
    "new": (["new", "study", "mine"], "htpbench.outside.drafts.write_file"),
    "cost": (["cost", small.NETWORK], "htpbench.bench.costs.costs"),
    "run": (["run", small.NETWORK], "htpbench.bench.runner.run"),
    "sweep": (["sweep", "small.toml"], "htpbench.cli.workers.measured"),
    "choose": (["choose", "--budget", "cost.flops <= 1"], "htpbench.bench.candidates.turns"),
    "train": (["train", small.NETWORK, "--data", "motion.npz"], "htpbench.training.train.train"),
    "lift": (["lift", small.NETWORK, "--weights", "random"], "htpbench.bench.lifting.save"),
    "export": (["export", small.NETWORK, "--weights", "random"], "htpbench.bench.exported.export"),
    "view": (["view", "motion.npz"], "htpbench.poses.source.tracks_of"),
    "report": (["report", "small.toml"], "htpbench.report.build.report_study"),
    "rows": (["rows"], "htpbench.report.tidy.tidy"),
    "table": ([*TABLE, "cost.flops"], "htpbench.report.build.networks_table"),
    "reproduce": (["reproduce", "--status"], "htpbench.report.status.cells"),
    "compare": (["compare", small.NETWORK, small.PRUNED], "htpbench.records.verdicts.compare"),
    "check": (["check"], "htpbench.gate.check.check"),
    "doctor": (["doctor"], "htpbench.cli.doctor.examine"),
    "weights convert": (
        ["weights", "convert", "best.pth", "--as", "mixste-9"],
        "htpbench.convert.convert.convert",
    ),
    "data check": (["data", "check", "motion.npz"], "htpbench.checking.judge.checked"),
}
TRAIN = ["train", small.NETWORK, "--data", "motion.npz", "--batch", 2, "--steps"]
LIFT = ["lift", small.NETWORK, "--weights", "random", "--data", "motion.npz", "--out"]
CHOOSE = ["choose", "--best", "cost.params", "--engine", "eager", "--budget"]
COUNTED = Row(
    key="k",
    study="gate",
    combination=small.NETWORK,
    metric="cost.params",
    value=1,
    unit="1",
    environment="e",
)
FOUND = {0: [Finding(COUNTED, "same")], 1: [Finding(COUNTED, "worse")], 3: []}
EXPORT = ["export", small.NETWORK, "--weights", "random", "--data", "motion.npz", "--out"]
COMPARE = ["compare", small.NETWORK, small.PRUNED, "--metric"]
# (verb, code, command); "sweep first" in front where rows must be there.
CASES = [
    ("ls", 0, ["ls"]),
    ("ls", 2, ["ls", "--matrx"]),
    ("plan", 0, ["plan", small.NETWORK]),
    ("plan", 2, ["plan", "mixtse-9"]),
    ("status", 0, ["status", "small.toml"]),
    ("status", 2, ["status", "gone.toml"]),
    ("cite", 0, ["cite", "small.toml"]),
    ("cite", 2, ["cite", "gone.toml"]),
    ("new", 0, ["new", "pruner", "swift"]),
    ("new", 2, ["new", "pruner", "tps"]),
    ("completion", 0, ["completion", "bash"]),
    ("completion", 2, ["completion", "tcsh"]),
    ("cost", 0, ["cost", small.NETWORK, FAILING]),
    ("cost", 1, ["cost", FAILING]),
    ("cost", 1, ["cost", "--study", "failing.toml"]),
    ("cost", 2, ["cost", small.NETWORK, "--results", "r"]),
    ("run", 0, ["run", small.NETWORK, FAILING, "--meter", "cost"]),
    ("run", 1, ["run", FAILING, "--meter", "cost"]),
    ("run", 2, ["run", small.NETWORK, "--device", "cpu:1"]),
    ("sweep", 0, ["sweep", "small.toml"]),
    ("sweep", 1, ["sweep", "failing.toml"]),
    ("sweep", 2, ["sweep", "gone.toml"]),
    ("choose", 0, [*CHOOSE, "cost.flops <= 1e12"]),
    ("choose", 1, [*CHOOSE, "cost.flops <= 0"]),
    ("choose", 2, [*CHOOSE, "cost.flops"]),
    ("train", 0, [*TRAIN, 1]),
    ("train", 2, [*TRAIN, 0]),
    ("export", 0, [*EXPORT, "lifter.pt2"]),
    ("export", 1, [*EXPORT, "lifter.pt2"]),
    ("export", 2, [*EXPORT, "lifter.txt"]),
    ("lift", 0, [*LIFT, "poses.npz"]),
    ("lift", 2, [*LIFT, "motion.npz"]),
    ("view", 0, ["view", "motion.npz"]),
    ("view", 2, ["view", "gone.npz"]),
    ("report", 0, ["sweep first", "report", "small.toml"]),
    ("report", 2, ["report", "small.toml"]),
    ("rows", 0, ["sweep first", "rows"]),
    ("rows", 2, ["rows"]),
    ("table", 0, ["sweep first", *TABLE, "cost.flops"]),
    ("table", 2, [*TABLE, "cost.flops"]),
    ("reproduce", 0, ["reproduce", "--status"]),
    ("reproduce", 1, ["reproduce", "table2", "--only", "accuracy"]),
    ("reproduce", 2, ["reproduce", "table1"]),
    ("compare", 0, ["sweep first", *COMPARE, "cost.flops"]),
    ("compare", 2, ["sweep first", *COMPARE, "cost.flop"]),
    *(("check", code, ["check", "--format", "json"]) for code in (0, 1, 3)),
    ("check", 2, ["check", "--pin", "--fail", "cost.flops:+0"]),
    ("check", 4, ["check", "--against", "gone.jsonl"]),
    ("doctor", 0, ["doctor"]),
    ("doctor", 2, ["doctor", "--results", "motion.npz/below"]),
    ("weights convert", 0, ["weights", "convert", "best.pth", "--as"]),
    ("weights convert", 2, ["weights", "convert", "gone.pth", "--as"]),
    ("data check", 0, ["data", "check", "motion.npz"]),
    ("data check", 1, ["data", "check", "motion.npz"]),
    ("data check", 2, ["data", "check", "gone.npz"]),
]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line in a folder with two studies: (exit code, stderr)."""
    small.study(tmp_path)
    small.study(tmp_path, name="failing", combinations=[FAILING])
    run = small.command_line(tmp_path, monkeypatch, capsys)
    return lambda *arguments: run(*arguments)[::2]


def fail_pruned(monkeypatch):
    def measure(lifter):
        if lifter.schedule:
            raise RuntimeError("on purpose")
        return small.quick_cost(lifter)

    monkeypatch.setattr(counting, "measure", measure)


@pytest.mark.parametrize(
    ("verb", "code", "command"), CASES, ids=lambda value: value if isinstance(value, str) else None
)
def test_every_verb_ends_with_its_codes(call, monkeypatch, golden, verb, code, command):
    if command[0] == "sweep first":
        assert call("sweep", "small.toml")[0] == 0
        command = command[1:]
    if verb in ("cost", "run", "sweep"):
        fail_pruned(monkeypatch)
    if verb == "check" and code != 4:
        judged = Judgement("gate", FOUND.get(code, []), Rows({}, []), Rows({}, []))
        monkeypatch.setattr("htpbench.gate.check.check", lambda *_: judged)
    if verb == "export" and code == 1:
        apart = Agreement(2, 2, 1e-3)
        monkeypatch.setattr("htpbench.bench.exported.compare", lambda *_: apart)
    if verb == "data check" and code == 1:
        doubt = Verdict("unit", True, "unit: said")
        monkeypatch.setattr("htpbench.checking.judge.checked", lambda _: [doubt])
    if verb == "weights convert":
        torch.save(golden.state, "best.pth")
        command = [*command, golden.text]
    found, err = call(*command)
    assert found == code and "Traceback" not in err, err
    assert ("error: " in err) == (code in (2, 4) and verb != "doctor")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("verb", STOPPED)
def test_every_verb_that_is_stopped_says_so(call, monkeypatch, verb, number, code):
    command, first = STOPPED[verb]
    monkeypatch.setattr(first, lambda *_, **__: os.kill(os.getpid(), number))
    found, err = call(*command)
    goes_on = verb in ("run", "sweep", "choose", "train", "reproduce")
    said = "stopped" + "; the same command resumes" * goes_on
    said += "; nothing was written" * (verb == "lift")
    assert found == code and err.strip().splitlines()[-1] == said


def test_costs_are_kept_of_a_study_alone(call, monkeypatch):
    command, first = ["cost", "--study", "small.toml"], STOPPED["cost"][1]
    monkeypatch.setattr(first, lambda *_, **__: os.kill(os.getpid(), signal.SIGINT))
    assert call(*command)[1].strip().endswith("stopped; the same command resumes")


def test_what_failed_in_earlier_sweeps_still_ends_with_1(call, monkeypatch):
    fail_pruned(monkeypatch)
    for _ in range(4):  # after three it is not tried again
        assert call("sweep", "failing.toml")[0] == 1


def test_a_control_that_succeeds_is_no_success(call, monkeypatch, tmp_path):
    from htpbench.meters.accuracy import Accuracy

    measure = Accuracy.measure

    def broken(self, context, combination, *rest):
        if combination.schedule:
            raise RuntimeError("on purpose")
        return measure(self, context, combination, *rest)

    monkeypatch.setattr(Accuracy, "measure", broken)
    command = ["run", FAILING, "--meter", "accuracy", "--weights", "random", "--data", "motion.npz"]
    assert call(*command)[0] == 1
    assert call(*command, small.NETWORK)[0] == 0


def test_the_table_of_the_docs_is_what_is_tested():
    lines = (ROOT / "docs" / "cli.md").read_text().splitlines()
    heads, _, *rows = [re.split(r"\s*\|\s*", line.strip("| ")) for line in lines if line[:1] == "|"]
    columns = [head.split(", ") for head in heads[1:]]
    told = {
        (verb, int(row[0]))
        for row in rows
        for verbs, cell in zip(columns, row[1:], strict=True)
        for verb in verbs
        if cell != "-"
    }
    tested = {(verb, code) for verb, code, _ in CASES}
    tested |= {(verb, code) for verb in STOPPED for code in (130, 143)}
    assert told == tested


def test_the_cost_of_a_faulty_pruner_is_left_out_and_the_others_are_counted(call, monkeypatch):
    class Nothing(Pruner):
        def select(self, view, r):
            return None

    monkeypatch.setitem(PRUNERS.registered, "nothing", Nothing)
    faulty = f"{small.NETWORK}+nothing:3@1+tri"
    code, err = call("cost", faulty, small.NETWORK)
    assert code == 0 and "the pruner nothing returned None" in " ".join(err.split())
    assert call("cost", faulty)[0] == 1

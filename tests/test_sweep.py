"""Sweeps: to the end, resumed, killed, interrupted, with failures, and two at once."""

import json
import random
import signal
import time
from collections import Counter

import optuna
import pytest
import small
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from htpbench import setting
from htpbench.combination import parse
from htpbench.errors import BenchError
from htpbench.meters import accuracy, cost, selection, timing
from htpbench.motion.clip import Motion
from htpbench.rows import Store
from htpbench.run import EVERY_THIRD, MEAN_POSE, Bench
from htpbench.setting import METERS
from htpbench.study import load
from htpbench.sweep import sweep

SPACE = """
[search]
backbone = "mixste.tiny-9"
pruners = ["tps", "tpc"]
recoverers = ["tri", "tra"]
trials = {}
"""


def bench(path, results, **changes):
    return Bench(load(str(path)), results, **changes)


def row_file(folder):
    (file,) = folder.rglob("*.jsonl")
    return file


def trials(folder):
    """All trials of the journal below a folder, of all studies."""
    (file,) = folder.rglob("*.journal")
    storage = JournalStorage(JournalFileBackend(str(file)))
    return [t for s in optuna.get_all_study_summaries(storage) for t in
            optuna.load_study(study_name=s.study_name, storage=storage).trials]  # fmt: skip


def test_to_the_end_and_again(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = small.study(tmp_path, meters=("cost", "time", "accuracy", "selection"))
    assert small.call(monkeypatch, "sweep", path) == 0
    out, err = capsys.readouterr()
    assert small.PRUNED in out and "MPJPE" in out and "front" in out and "2/2" in err
    written = {file.name for file in (tmp_path / "reports" / "small").iterdir()}
    assert written == {"small.md", "small.csv", "small.png", "small.svg"}
    assert all(f"reports/small/{name}" in out for name in written)
    assert (tmp_path / "reports" / "small" / "small.png").read_bytes()[:4] == b"\x89PNG"

    rows = Store(tmp_path / "results").read()
    found = Counter((row.combination, row.metric) for row in rows)
    plain = [*cost.METRICS, *timing.METRICS, *accuracy.METRICS]
    expected = [(name, metric) for name in (MEAN_POSE, EVERY_THIRD) for metric in accuracy.METRICS]
    expected += [(name, metric) for name in (small.NETWORK, small.PRUNED) for metric in plain]
    expected += [(small.PRUNED, metric) for metric in selection.METRICS]
    assert found == Counter(expected)
    assert all(row.status == "ok" and row.study == "small" for row in rows)

    before = row_file(tmp_path).read_bytes(), len(trials(tmp_path))
    asked = []
    with monkeypatch.context() as patched:
        patched.setattr(Bench, "measurements", lambda *arguments: asked.append(arguments))
        assert small.call(monkeypatch, "sweep", path) == 0
    assert asked == [], "nothing may be measured any more"
    assert capsys.readouterr().out == out
    assert (row_file(tmp_path).read_bytes(), len(trials(tmp_path))) == before
    assert small.call(monkeypatch, "report", path) == 0
    assert small.PRUNED in capsys.readouterr().out


def test_a_lost_row_alone_is_written_again(tmp_path):
    path = small.study(tmp_path, meters=("time", "accuracy"))
    sweep(bench(path, tmp_path / "r"))
    file = row_file(tmp_path / "r")
    *kept, lost = lines(tmp_path / "r")
    file.write_bytes(b"\n".join(kept) + b"\n" + lost[:50])  # killed while writing it
    sweep(bench(path, tmp_path / "r"))
    *again, last = lines(tmp_path / "r")
    assert again == kept
    assert json.loads(last)["key"] == json.loads(lost)["key"]


def test_other_conditions_are_measured_anew_beside_the_old(tmp_path):
    path = small.study(tmp_path, meters=("cost", "accuracy"), combinations=[small.NETWORK])
    sweep(bench(path, tmp_path / "r"))
    before = row_file(tmp_path / "r").read_bytes()
    sweep(bench(path, tmp_path / "r", seed=1))  # other random weights
    after = row_file(tmp_path / "r").read_bytes()
    assert after.startswith(before)
    added = [json.loads(line) for line in after[len(before) :].splitlines()]
    assert {(row["combination"], row["metric"]) for row in added} == {
        (name, metric) for name in (small.NETWORK, EVERY_THIRD) for metric in accuracy.METRICS
    }


def search(tmp_path, count, results="r", **changes):
    """Sweeps a space; returns its rows' combinations and its trials."""
    text = SPACE.format(count)
    path = small.study(tmp_path, text, combinations=[], meters=["accuracy"])
    rows = sweep(bench(path, tmp_path / results, **changes))
    return [row.combination for row in rows], trials(tmp_path / results)


def test_a_search_is_seeded_and_draws_valid_combinations(tmp_path):
    names, told = search(tmp_path, 12)
    drawn = [trial.user_attrs["combination"] for trial in told]
    assert len(told) == 12 and all(trial.state == TrialState.COMPLETE for trial in told)
    assert {MEAN_POSE, EVERY_THIRD, small.NETWORK, *drawn} == set(names)
    assert [str(parse(text)) for text in drawn] == drawn
    assert all(text.startswith("mixste.tiny-9+") and "+tr" in text for text in drawn)
    assert len(set(drawn)) > 6
    again = [t.user_attrs["combination"] for t in search(tmp_path, 5, "other")[1]]
    assert again == drawn[:5], "the same seed draws the same first trials"
    third = [t.user_attrs["combination"] for t in search(tmp_path, 5, "third", seed=1)[1]]
    assert third != drawn[:5]
    by_key = {row.key: row for row in Store(tmp_path / "r").read()}
    for trial in told:
        mine = {
            r.metric: r.value
            for r in by_key.values()
            if r.combination == trial.user_attrs["combination"]
        }
        assert trial.values == [mine["accuracy.mpjpe"], mine["accuracy.p_mpjpe"]]


def test_a_search_that_stopped_counts_its_trials_and_draws_others(tmp_path, monkeypatch):
    answered, real = [], setting.predict

    def evaluate(*arguments):
        if len(answered) == 5:  # the control, then trials
            raise KeyboardInterrupt
        answered.append(1)
        return real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(setting, "predict", evaluate)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, 8)
    first = trials(tmp_path / "r")
    stopped = Counter(trial.state for trial in first)
    assert stopped[TrialState.RUNNING] == 1 and stopped[TrialState.COMPLETE] >= 4
    done = stopped[TrialState.COMPLETE]
    _, told = search(tmp_path, 8)
    states = Counter(trial.state for trial in told)
    assert states == {TrialState.COMPLETE: 8, TrialState.FAIL: 1}
    params = [tuple(trial.params.items()) for trial in told]
    assert params[done + 1 :] != params[: len(params) - done - 1], "it drew the first ones again"
    assert len(search(tmp_path, 8)[1]) == 9, "complete: no trial more"


def test_a_failure_becomes_a_row_and_is_measured_again(tmp_path, monkeypatch):
    path = small.study(tmp_path, meters=("cost", "accuracy"))
    real = setting.predict

    def broken(lifter, *arguments):
        if lifter.schedule:
            raise ZeroDivisionError("no [/x] luck")
        return real(lifter, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(setting, "predict", broken)
        rows = sweep(bench(path, tmp_path / "r"))
    failed = [row for row in rows if row.status != "ok"]
    assert {(row.combination, row.metric) for row in failed} == {
        (small.PRUNED, metric) for metric in accuracy.METRICS
    }
    assert {(row.status, row.value) for row in failed} == {("failed", None)}
    assert {row.reason for row in failed} == {"ZeroDivisionError: no [/x] luck"}
    assert [t.state for t in trials(tmp_path / "r")] == [TrialState.COMPLETE, TrialState.FAIL]
    before = row_file(tmp_path / "r").read_bytes()
    rows = sweep(bench(path, tmp_path / "r"))
    assert all(row.status == "ok" for row in rows)
    added = row_file(tmp_path / "r").read_bytes()[len(before) :].splitlines()
    assert {json.loads(line)["metric"] for line in added} == set(accuracy.METRICS)
    assert len(added) == len(accuracy.METRICS), "what was ok is not written again"


def test_a_system_that_is_not_built_is_a_row_too(tmp_path):
    path = small.study(tmp_path, combinations=[small.NETWORK, "mhformer-27"])
    rows = [row for row in sweep(bench(path, tmp_path / "r")) if row.combination != small.NETWORK]
    assert {(row.status, row.combination) for row in rows} == {("unsupported", "mhformer-27")}
    assert all("not built" in row.reason for row in rows)


def test_bad_input_ends_a_sweep(tmp_path, monkeypatch):
    path = small.study(tmp_path, meters=("cost", "accuracy"))
    monkeypatch.setattr(Motion, "split", lambda *_: (_ for _ in ()).throw(BenchError("no clips")))
    with pytest.raises(BenchError, match="no clips"):
        sweep(bench(path, tmp_path / "r"))


LONG = [small.NETWORK] + [
    f"{small.NETWORK}+{pruner}:{r}@{b}+{recoverer}"
    for r, b in ((7, 0), (5, 1), (3, 2))
    for pruner in ("tps", "tpc")
    for recoverer in ("tri", "tra")
]


def lines(folder):
    """The complete lines of the row file."""
    files = list(folder.rglob("*.jsonl"))
    return files[0].read_bytes().split(b"\n")[:-1] if files else []


def stopped_in_the_middle(path, folder, sent, rng, most):
    """Starts a sweep and sends a signal after some more rows; returns the finished process."""
    wanted = len(lines(folder / "results")) + rng.randint(1, most)
    process = small.started("-m", "htpbench", "sweep", path, cwd=folder)
    deadline = time.monotonic() + 90
    while len(lines(folder / "results")) < wanted and process.poll() is None:
        assert time.monotonic() < deadline, "no rows"
        time.sleep(0.002)
    time.sleep(rng.random() * 0.2)
    process.send_signal(sent)
    return small.finished(process)


def test_killed_at_random_moments_no_row_is_lost_and_none_is_there_twice(tmp_path):
    rng = random.Random(0)
    path = small.study(tmp_path, combinations=LONG, meters=("time", "accuracy"))
    seen = []
    for _ in range(4):
        code, _, err = stopped_in_the_middle(path, tmp_path, signal.SIGKILL, rng, most=20)
        assert code == -signal.SIGKILL, f"it ended before it was killed: {err}"
        now = lines(tmp_path / "results")
        assert now[: len(seen)] == seen and len(now) > len(seen), "rows were lost"
        seen = now
    code, out, err = small.finished(small.started("-m", "htpbench", "sweep", path, cwd=tmp_path))
    assert (code, "Traceback" in err) == (0, False), err
    assert all(name in out for name in LONG)

    content = row_file(tmp_path / "results").read_bytes()
    assert content.endswith(b"\n") and content.split(b"\n")[: len(seen)] == seen
    store = Store(tmp_path / "results")
    rows, planned = store.read(), bench(path, tmp_path / "results")
    assert store.problems == []
    expected = {
        key
        for name in LONG
        for meter in ("time", "accuracy")
        for key in planned.keys(parse(name), meter).values()
    }
    control = {row.key for row in rows if row.combination.startswith("control")}
    assert len(control) == 2 * len(accuracy.METRICS)
    assert Counter(row.key for row in rows if row.status == "ok") == Counter(expected | control)
    assert all(row.status == "ok" for row in rows)
    states = Counter(trial.state for trial in trials(tmp_path / "results"))
    assert states[TrialState.RUNNING] == 0 and states[TrialState.COMPLETE] == len(LONG)


def test_ctrl_c_ends_cleanly_and_the_same_command_resumes(tmp_path):
    path = small.study(tmp_path, combinations=LONG[:4])
    code, out, err = stopped_in_the_middle(path, tmp_path, signal.SIGINT, random.Random(1), most=5)
    assert code == 130 and "the same command resumes" in err
    assert "Traceback" not in out + err
    seen = lines(tmp_path / "results")
    names = [row.combination for row in sweep(bench(path, tmp_path / "results"))]
    assert set(names) == set(LONG[:4])
    assert lines(tmp_path / "results")[: len(seen)] == seen
    assert len(lines(tmp_path / "results")) == 1 + len(cost.METRICS) * 4  # 1: the environment


def test_two_sweeps_at_once(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    path, codes = small.study(tmp_path), []
    real = METERS["cost"].measure

    def measure(lifter):
        codes.append(small.call(monkeypatch, "sweep", path))
        return real(lifter)

    with monkeypatch.context() as patched:
        patched.setattr(METERS["cost"], "measure", measure)
        assert small.call(monkeypatch, "sweep", path) == 0
    err = capsys.readouterr().err
    assert codes == [2, 2] and "another htpbench writes to" in err and "--results" in err
    assert small.call(monkeypatch, "sweep", path) == 0, "the first let go"


def test_a_sweep_that_failed_lets_the_next_one_start(tmp_path, monkeypatch):
    path = small.study(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("htpbench.sweep.open_trials", lambda bench: 1 / 0)
        with pytest.raises(ZeroDivisionError) as held:  # its traceback keeps the frames alive
            sweep(bench(path, tmp_path / "r"))
    assert len(sweep(bench(path, tmp_path / "r"))) == 2 * len(cost.METRICS)
    assert held.type is ZeroDivisionError

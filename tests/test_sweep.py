"""Sweeps: to the end, resumed, killed, interrupted, with failures."""

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

from htpbench.bench.controls import EVERY_THIRD, MEAN_POSE, SMOOTHED
from htpbench.bench.devices import TimedOut, deadline, device_lock
from htpbench.bench.runner import Runner
from htpbench.errors import BenchError, OtherLengths
from htpbench.measuring import context, prediction
from htpbench.motion.dataset import Motion
from htpbench.records.rows import Store
from htpbench.search.sweep import sweep
from htpbench.study.loading import load
from htpbench.systems.combination import parse

SPACE = """
[search]
backbone = "mixste.tiny-9"
pruners = ["tps", "tpc"]
recoverers = ["tri", "tra"]
trials = {}
"""


def bench(path, results, **changes):
    return small.runner(load(str(path)), results, **changes)


def row_file(folder):
    (file,) = folder.rglob("*.jsonl")
    return file


def trials(folder):
    """All trials of the journal below a folder, of all studies."""
    (file,) = folder.rglob("*.journal")
    storage = JournalStorage(JournalFileBackend(str(file)))
    return [t for s in optuna.get_all_study_summaries(storage) for t in
            optuna.load_study(study_name=s.study_name, storage=storage).trials]  # fmt: skip


@pytest.mark.slow
def test_to_the_end_and_again(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = small.study(tmp_path, meters=("cost", "time", "accuracy", "selection"))
    assert small.call(monkeypatch, "sweep", path) == 0
    out, err = capsys.readouterr()
    assert small.PRUNED in out and "MPJPE" in out and "front" in out and "2/2" in err
    written = {file.name for file in (tmp_path / "reports" / "local" / "small").iterdir()}
    kinds = ("", "-speedup", "-time")
    figures = {f"small{kind}{end}" for kind in kinds for end in (".png", ".svg")}
    assert written >= {"small.md", "small.csv", *figures}
    assert all(f"reports/local/small/{name}" in out for name in written)
    assert (tmp_path / "reports" / "local" / "small" / "small.png").read_bytes()[:4] == b"\x89PNG"

    rows = Store(tmp_path / "results").read()
    found = Counter((row.combination, row.metric) for row in rows)
    plain = [*small.metrics("cost"), *small.metrics("time"), *small.metrics("accuracy")]
    expected = [
        (name, metric)
        for name in (MEAN_POSE, EVERY_THIRD, SMOOTHED)
        for metric in small.metrics("accuracy")
    ]
    expected += [(name, metric) for name in (small.NETWORK, small.PRUNED) for metric in plain]
    expected += [(small.PRUNED, metric) for metric in small.metrics("selection")]
    assert found == Counter(expected)
    assert all(row.status == "ok" and row.study == "small" for row in rows)

    before = row_file(tmp_path).read_bytes(), len(trials(tmp_path))
    asked = []
    with monkeypatch.context() as patched:
        patched.setattr(Runner, "outcome", lambda *arguments: asked.append(arguments))
        assert small.call(monkeypatch, "sweep", path) == 0
    assert asked == [], "nothing may be measured any more"
    assert capsys.readouterr().out == out
    assert (row_file(tmp_path).read_bytes(), len(trials(tmp_path))) == before
    assert small.call(monkeypatch, "report", path) == 0
    assert small.PRUNED in capsys.readouterr().out


def test_a_lost_row_alone_is_written_again(tmp_path, monkeypatch):
    small.quick(monkeypatch)
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
        (name, metric)
        for name in (small.NETWORK, EVERY_THIRD, SMOOTHED)
        for metric in small.metrics("accuracy")
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
    assert {MEAN_POSE, EVERY_THIRD, SMOOTHED, small.NETWORK, *drawn} == set(names)
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
    answered, real = [], prediction.predict

    def evaluate(*arguments, **named):
        if len(answered) == 6:  # two controls, then trials
            raise KeyboardInterrupt
        answered.append(1)
        return real(*arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(prediction, "predict", evaluate)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path, 8)
    first = trials(tmp_path / "r")
    stopped = Counter(trial.state for trial in first)
    assert stopped[TrialState.RUNNING] == 0 and stopped[TrialState.FAIL] == 1
    assert stopped[TrialState.COMPLETE] >= 4
    done = stopped[TrialState.COMPLETE]
    _, told = search(tmp_path, 8)
    states = Counter(trial.state for trial in told)
    assert states == {TrialState.COMPLETE: 8, TrialState.FAIL: 1}
    params = [tuple(trial.params.items()) for trial in told]
    assert params[done + 1 :] != params[: len(params) - done - 1], "it drew the first ones again"
    assert len(search(tmp_path, 8)[1]) == 9, "complete: no trial more"


def test_a_failure_becomes_a_row_and_is_measured_again(tmp_path, monkeypatch):
    path = small.study(tmp_path, meters=("cost", "accuracy"))
    real = prediction.predict

    def broken(lifter, *arguments, **named):
        if lifter.schedule:
            raise ZeroDivisionError("no [/x] luck")
        return real(lifter, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(prediction, "predict", broken)
        rows = sweep(bench(path, tmp_path / "r"))
    failed = [row for row in rows if row.status != "ok"]
    assert {(row.combination, row.metric) for row in failed} == {
        (small.PRUNED, metric) for metric in small.metrics("accuracy")
    }
    assert {(row.status, row.value) for row in failed} == {("failed", None)}
    assert {row.reason for row in failed} == {"ZeroDivisionError: no [/x] luck"}
    assert [t.state for t in trials(tmp_path / "r")] == [TrialState.COMPLETE, TrialState.FAIL]
    before = row_file(tmp_path / "r").read_bytes()
    rows = sweep(bench(path, tmp_path / "r"))
    assert all(row.status == "ok" for row in rows)
    added = row_file(tmp_path / "r").read_bytes()[len(before) :].splitlines()
    assert {json.loads(line)["metric"] for line in added} == set(small.metrics("accuracy"))
    assert len(added) == len(small.metrics("accuracy")), "what was ok is not written again"


def test_weights_of_other_lengths_are_a_row_once(tmp_path, monkeypatch):
    def build(combination, *arguments):
        raise OtherLengths(f"{combination} has other lengths")

    monkeypatch.setattr(context, "build", build)
    path = small.study(tmp_path, combinations=[small.NETWORK])
    for _ in range(2):
        rows = sweep(bench(path, tmp_path / "r"))
        assert {(row.status, row.reason) for row in rows} == {
            ("unsupported", f"{small.NETWORK} has other lengths")
        }
    assert len(Store(tmp_path / "r").read()) == len(small.metrics("cost"))


def failing(path, results, **changes):
    """How often a study's accuracy is asked for in a sweep where it fails."""
    asked = []

    def predict(*arguments, **named):
        asked.append(1)
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried\nto")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(prediction, "predict", predict)
        rows = sweep(bench(path, results, **changes))
    return len(asked), {row.reason for row in rows if row.status == "failed"}


def test_what_failed_three_times_is_left_alone_unless_asked_for(tmp_path):
    path = small.study(tmp_path, meters=("accuracy",), combinations=[small.NETWORK])
    told = {"out of memory: RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried"}
    tries = [failing(path, tmp_path / "r") for _ in range(4)]
    both = 2, told  # the network, and the control of its poses
    assert tries == [both, both, both, (0, told)]
    assert failing(path, tmp_path / "r", retry=True) == both
    rows = sweep(bench(path, tmp_path / "r", retry=True))
    assert {row.status for row in rows} == {"ok"}


def test_a_measurement_that_takes_too_long_is_a_row(tmp_path, monkeypatch):
    path = small.study(tmp_path, meters=("accuracy",))
    real = prediction.predict

    def slow(lifter, *arguments, **named):
        if lifter.schedule:
            time.sleep(30)
        return real(lifter, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(prediction, "predict", slow)
        rows = sweep(bench(path, tmp_path / "r", timeout=3.0))
    late = [row for row in rows if row.status != "ok"]
    assert {(row.combination, row.metric) for row in late} == {
        (small.PRUNED, metric) for metric in small.metrics("accuracy")
    }
    assert {(row.status, row.reason) for row in late} == {("timeout", "took longer than 3 s")}
    assert {row.status for row in sweep(bench(path, tmp_path / "r"))} == {"ok"}


@pytest.mark.processes
@pytest.mark.slow
def test_the_wait_for_a_device_does_not_count(tmp_path):
    waiting = bench(small.study(tmp_path, meters=("time",)), tmp_path / "r", timeout=20.0)
    code = "import time; from htpbench.bench.devices import device_lock as lock\n"
    code += "with lock('cpu', shared=True): print('held', flush=True); time.sleep(60)"
    other = small.started("-c", code, cwd=tmp_path)
    assert other.stdout.readline() == "held\n"
    with pytest.raises(TimedOut), deadline(0.3), device_lock("cpu"):
        pytest.fail("another process holds it")
    with device_lock("cpu", shared=True):
        pass
    other.kill()
    small.finished(other)
    assert {row.status for row in sweep(waiting)} == {"ok"}


def test_until_prunes_with_its_reason_and_is_asked_again(tmp_path):
    path = small.study(tmp_path, meters=("cost", "accuracy"))
    seen = []

    def until(rows, meter):
        seen.append((meter, sorted(rows)))
        return "too dear" if meter == "accuracy" else None

    def measure(until=None):
        here = bench(path, tmp_path / "r")
        with here.writer() as writer:
            return here.measure(parse(small.PRUNED), writer, stop_rule=until)

    found = measure(until)
    told = {(row.metric.split(".")[0], row.status) for row in found.values()}
    assert told == {("cost", "ok"), ("accuracy", "pruned")}
    assert {row.reason for row in found.values() if row.status == "pruned"} == {"too dear"}
    assert seen == [("cost", []), ("accuracy", sorted(small.metrics("cost")))]
    before = row_file(tmp_path / "r").read_bytes()
    assert measure(until) == found and seen[2:] == seen[1:2]
    assert row_file(tmp_path / "r").read_bytes() == before, "it has been said"
    assert {row.status for row in measure().values()} == {"ok"}


def test_bad_input_ends_a_sweep(tmp_path, monkeypatch):
    path = small.study(tmp_path, meters=("cost", "accuracy"))
    monkeypatch.setattr(Motion, "motion", lambda *_: (_ for _ in ()).throw(BenchError("no clips")))
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


def stopped_in_the_middle(path, folder, sent, rng, most, start=small.started):
    """Starts a sweep and sends a signal after some more rows; returns the finished process."""
    wanted = len(lines(folder / "results")) + rng.randint(1, most)
    process = start("-m", "htpbench", "sweep", path, cwd=folder)
    deadline = time.monotonic() + 90
    while len(lines(folder / "results")) < wanted and process.poll() is None:
        assert time.monotonic() < deadline, "no rows"
        time.sleep(0.002)
    time.sleep(rng.random() * 0.2)
    process.send_signal(sent)
    return small.finished(process)


@pytest.mark.processes
@pytest.mark.slow
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
    assert len(control) == 3 * len(small.metrics("accuracy"))
    assert Counter(row.key for row in rows if row.status == "ok") == Counter(expected | control)
    assert all(row.status == "ok" for row in rows)
    states = Counter(trial.state for trial in trials(tmp_path / "results"))
    assert states[TrialState.RUNNING] == 0 and states[TrialState.COMPLETE] == len(LONG)


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize(("sent", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_ends_cleanly_and_the_same_command_resumes(tmp_path, sent, expected):
    path = small.study(tmp_path, combinations=LONG, meters=("time", "accuracy"))
    code, out, err = stopped_in_the_middle(
        path, tmp_path, sent, random.Random(1), most=20, start=small.launched
    )
    assert code == expected and "the same command resumes" in err
    assert "Traceback" not in out + err
    assert list((tmp_path / "results").rglob("claims/*")) == []
    assert all(t.state != TrialState.RUNNING for t in trials(tmp_path / "results"))
    seen = lines(tmp_path / "results")
    code, _, err = small.finished(small.started("-m", "htpbench", "sweep", path, cwd=tmp_path))
    assert code == 0, err
    assert lines(tmp_path / "results")[: len(seen)] == seen
    rows = Store(tmp_path / "results").read()
    assert {row.combination for row in rows} > set(LONG)
    assert set(Counter(row.key for row in rows).values()) == {1}


def test_a_sweep_that_failed_lets_the_next_one_start(tmp_path, monkeypatch):
    path = small.study(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr("htpbench.search.sweep.Trials", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError) as held:  # its traceback keeps the frames alive
            sweep(bench(path, tmp_path / "r"))
    assert len(sweep(bench(path, tmp_path / "r"))) == 2 * len(small.metrics("cost"))
    assert held.type is ZeroDivisionError

"""Many workers, killed at random moments: every key once, nothing left behind."""

import json
import os
import random
import re
import signal
import sys
import time
from collections import Counter

import pytest
import small
from optuna.trial import TrialState
from test_sweep import LONG, SPACE, bench, trials

from htpbench.bench.claims import alive
from htpbench.cli import workers
from htpbench.errors import BenchError
from htpbench.records.rows import Store
from htpbench.systems.combination import parse


def planned(path, results, names):
    """The keys that a study asks for, without the controls."""
    here = bench(path, results)
    return {
        key
        for name in names
        for meter in here.study.meters
        for key in here.keys(parse(name), meter).values()
    }


def clean(path, results, names):
    """Every key of the plan once and ok, no claim held; returns the rows."""
    store = Store(results)
    rows = store.read()
    assert store.problems == []
    counted = Counter(row.key for row in rows if row.status == "ok")
    control = {row.key for row in rows if row.combination.startswith("control")}
    assert len(control) == 3 * len(small.metrics("accuracy"))
    assert counted.keys() - control >= planned(path, results, names)
    assert set(counted.values()) == {1}, "measured twice"
    # Who is killed between its last row and its claim leaves that: of work that is done, and free.
    texts = [path.read_text() for path in results.rglob("claims/*")]
    left = [json.loads(text) for text in texts if text]  # "": killed before it wrote its name
    assert not any(alive(owner, age_s=0) for owner in left)
    return rows


def count(results):
    return sum(file.read_bytes().count(b"\n") for file in results.rglob("*.jsonl"))


# A worker that neither traces nor draws, with a clock in its own process: claims are the point.
LIGHT = """
import small
from htpbench.bench import together
from htpbench.measuring import counting
from htpbench.report import sweeps
counting.measure, together.Run.child = small.quick_cost, small.in_this_process
sweeps.figures = lambda *_: []
small.cli.main()
"""


def killed(path, folder, arguments, kills, seed):
    """Two workers, one after the other killed at random moments and replaced, then the last."""
    rng, results = random.Random(seed), folder / "results"
    command = ("-c", LIGHT, "sweep", path, "--as-worker", *arguments)
    running = [small.started(*command, cwd=folder) for _ in range(2)]
    early = 0
    try:
        for _ in range(kills):
            index = rng.randrange(2)
            victim, before = running[index], count(results)
            if rng.random() < 0.7:  # most kills while rows are written, some while it starts
                limit = time.monotonic() + 30
                while count(results) == before and time.monotonic() < limit:
                    time.sleep(0.005)
            time.sleep(rng.random() * 0.3)
            victim.send_signal(signal.SIGKILL)
            early += small.finished(victim)[0] == 0
            running[index] = small.started(*command, cwd=folder)
    finally:
        for process in running:
            process.kill()
            small.finished(process)
    return early


@pytest.mark.processes
@pytest.mark.slow
def test_twenty_kills_lose_nothing_and_measure_nothing_twice(tmp_path):
    names = [*LONG, *(name.replace("tiny-9", "tiny-27") for name in LONG)]
    text = SPACE.format(6)
    path = small.study(tmp_path, text, combinations=names, meters=("cost", "time", "accuracy"))
    early = killed(path, tmp_path, [], 20, seed=0)
    code, _, err = small.finished(small.started("-c", LIGHT, "sweep", path, cwd=tmp_path))
    assert code == 0, err
    assert early <= 10, "most kills must hit a worker at work"
    rows = clean(path, tmp_path / "results", names)
    assert {row.status for row in rows} <= {"ok", "pruned", "failed"}
    found = trials(tmp_path / "results")
    states = Counter(trial.state for trial in found)
    assert states[TrialState.RUNNING] == 0
    ended = [t for t in found if t.params and t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(ended) == 6


@pytest.mark.processes
@pytest.mark.slow
def test_two_workers_and_one_who_joins_share_the_work(tmp_path):
    path = small.study(tmp_path, combinations=LONG, meters=("cost", "accuracy"))
    command = ("-m", "htpbench", "sweep", path)
    joined = small.started(*command, cwd=tmp_path)
    code, out, err = small.finished(small.started(*command, "--workers", 2, cwd=tmp_path))
    assert code == 0 and all(name in out for name in LONG), err
    assert f"{len(LONG)}/{len(LONG)}" in err
    other = small.finished(joined)
    assert other[0] == 0 and other[1] == out, "both report everything"
    rows = clean(path, tmp_path / "results", LONG)
    assert all(row.status == "ok" for row in rows)
    shares = [file.read_bytes().count(b"\n") for file in (tmp_path / "results").rglob("*.jsonl")]
    assert sum(share > 1 for share in shares) >= 2, "one did everything"
    (file,) = {file.name for file in (tmp_path / "results").rglob("*.journal")}
    told = [trial.user_attrs["combination"] for trial in trials(tmp_path / "results")]
    assert Counter(told) == Counter(LONG) and file == "small.journal"


BRUTE = """
[search]
backbone = "mixste.tiny-9"
pruners = ["tps"]
recoverers = ["tri"]
sampler = "brute"
stages = 1
r = [2, 5, 8]
b = [1, 2]
"""


def front(rows):
    """The combinations that no other dominates in FLOPs and MPJPE, with both."""
    found = {}
    for row in rows:
        if row.status == "ok" and row.metric in ("cost.flops", "accuracy.mpjpe"):
            found.setdefault(row.combination, {})[row.metric] = row.value
    points = {name: tuple(both.values()) for name, both in found.items() if len(both) == 2}
    return {
        name: mine
        for name, mine in points.items()
        if not any(o != mine and o[0] <= mine[0] and o[1] <= mine[1] for o in points.values())
    }


@pytest.mark.processes
@pytest.mark.slow
def test_brute_force_with_the_cascade_finds_the_same_front_by_one_and_by_two(tmp_path):
    path = small.study(tmp_path, BRUTE, combinations=[], meters=("cost", "accuracy"))
    rows = {}
    for number in (1, 2):
        place = ("--results", f"r{number}", "--reports", f"reports{number}")
        command = ("-m", "htpbench", "sweep", path, "--workers", number, *place)
        code, _, err = small.finished(small.started(*command, cwd=tmp_path))
        assert code == 0, err
        rows[number] = Store(tmp_path / f"r{number}").read()
    assert front(rows[1]) == front(rows[2]) and len(front(rows[1])) > 1
    for found in rows.values():
        assert set(Counter(r.key for r in found if r.status == "ok").values()) == {1}
        assert len({r.combination for r in found if "@" in r.combination}) == 6
        assert {r.status for r in found} <= {"ok", "pruned"}


@pytest.mark.processes
@pytest.mark.slow
def test_sigterm_ends_all_workers(tmp_path):
    path = small.study(tmp_path, combinations=LONG, meters=("time",))
    sweep = small.started("-m", "htpbench", "sweep", path, "--workers", 3, cwd=tmp_path)
    limit = time.monotonic() + 60
    while count(tmp_path / "results") < 3:
        assert time.monotonic() < limit and sweep.poll() is None
        time.sleep(0.01)
    claimed = children(sweep.pid)  # and perhaps a clock's process
    assert sum("--as-worker" in command_of(child) for child in claimed) == 2
    sweep.send_signal(signal.SIGTERM)
    code, _, err = small.finished(sweep)
    assert code == 143 and "the same command resumes" in err and "Traceback" not in err
    assert not any(os.path.exists(f"/proc/{child}") for child in claimed)
    assert list((tmp_path / "results").rglob("claims/*")) == []
    assert all(trial.state != TrialState.RUNNING for trial in trials(tmp_path / "results"))


def children(process):
    with open(f"/proc/{process}/task/{process}/children") as file:
        return file.read().split()


def command_of(process):
    try:
        with open(f"/proc/{process}/cmdline") as file:
            return file.read()
    except FileNotFoundError:  # it has ended meanwhile
        return ""


@pytest.mark.processes
def test_a_worker_s_error_ends_the_sweep_and_is_told(tmp_path):
    path = small.study(tmp_path, meters=("accuracy",))
    (tmp_path / "motion.npz").write_bytes(b"no archive")
    code, _, err = small.finished(
        small.started("-m", "htpbench", "sweep", path, "--workers", 2, cwd=tmp_path)
    )
    assert code == 2 and "motion.npz" in err and "Traceback" not in err


@pytest.mark.parametrize("wrong", [("--workers", "0"), ("--timeout", "-1")])
def test_wrong_numbers_are_refused(tmp_path, monkeypatch, capsys, wrong):
    assert small.call(monkeypatch, "sweep", small.study(tmp_path), *wrong) == 2
    assert "more than 0" in capsys.readouterr().err


@pytest.mark.processes
@pytest.mark.slow
def test_workers_import_nothing_from_the_working_folder(tmp_path):
    (tmp_path / "statistics.py").write_text("open('ran', 'a').write('x')\n")
    path = small.study(tmp_path, combinations=LONG[:2])
    start = "import sys; sys.path.remove(''); from htpbench.cli import main; main()"
    command = ("-c", start, "sweep", path, "--workers", 2)
    code, _, err = small.finished(small.launched(*command, cwd=tmp_path))
    assert code == 0 and not (tmp_path / "ran").exists(), err
    clean_rows = Store(tmp_path / "results").read()
    assert {row.combination for row in clean_rows} == set(LONG[:2])


@pytest.mark.parametrize("words", [["--storage", "URL"], ["--storage=URL"]])
def test_the_address_of_a_storage_goes_by_the_environment(monkeypatch, words):
    monkeypatch.delenv(workers.STORAGE, raising=False)
    url = "postgresql://u:s3cr@et@h/d"
    words = [word.replace("URL", url) for word in words]
    monkeypatch.setattr("sys.argv", ["htpbench", "sweep", "demo", *words, "--seed", "2"])
    asked, place = workers.same_command("cpu"), ["--device", "cpu", "--as-worker"]
    assert asked[1:] == ["-P", "-m", "htpbench", "sweep", "demo", "--seed", "2", *place]
    with workers.handed_on(url):
        assert os.environ[workers.STORAGE] == url and os.environ["PYTHONSAFEPATH"] == "1"
    assert workers.STORAGE not in os.environ


@pytest.mark.processes
def test_a_worker_that_was_killed_is_mentioned(caplog):
    command = [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]
    with workers.helped([command]):
        limit = time.monotonic() + 20
        while not caplog.messages and time.monotonic() < limit:
            time.sleep(0.01)
    assert re.fullmatch(r"worker pid \d+ was killed \(SIGKILL\); .*", *caplog.messages)


@pytest.mark.processes
def test_a_worker_that_we_end_is_not_mentioned(caplog):
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    with pytest.raises(KeyboardInterrupt), workers.helped([command]):
        raise KeyboardInterrupt
    assert caplog.messages == []


@pytest.mark.processes
def test_a_worker_that_was_asked_to_end_hides_no_error(caplog):
    ends = ("sys.exit(143)", "sys.exit('a fault')")
    commands = [[sys.executable, "-c", f"import sys; {end}"] for end in ends]
    with pytest.raises(BenchError, match=r"code 1: a fault"), workers.helped(commands):
        limit = time.monotonic() + 20
        while not caplog.messages and time.monotonic() < limit:
            time.sleep(0.01)
    assert re.fullmatch(r"worker pid \d+ was killed \(SIGTERM\); .*", *caplog.messages)

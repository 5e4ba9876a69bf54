"""Disks that are full, folders that are read-only, files that are damaged or in the way.

The faults are real ones. A limit on the size of files (RLIMIT_FSIZE) stands for a full disk: a
write is cut short, and the next one is refused.
"""

import shutil
import subprocess
from collections import Counter
from contextlib import contextmanager

import pytest
import small
from optuna.trial import TrialState
from test_sweep import LONG, SPACE, trials

from htpbench.bench.claims import Claims
from htpbench.errors import BenchError
from htpbench.measuring import counting
from htpbench.records.rows import Store

resource = pytest.importorskip("resource", reason="limits are those of POSIX")


@contextmanager
def full_at(size):
    """No file of this process and its children grows beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def call(request, tmp_path, monkeypatch, capsys):
    """Calls the command line in a folder of its own; returns the exit code and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(counting, "measure", small.quick_cost)
    if "reports" not in request.function.__name__:
        small.undrawn(monkeypatch)

    def run(*arguments):
        code = small.call(monkeypatch, *arguments)
        return code, " ".join(capsys.readouterr().err.split())

    return run


def told(said, *words):
    """It ended as bad input does, and says which file and what helps."""
    code, err = said
    assert code == 2 and all(word in err for word in (*words, "cannot write")), said
    assert "free or mend the folder" in err or "choose another folder" in err


def complete(folder, names, searched=0):
    """Every key once, for all that a study of cost names, and no trial without an end."""
    store = Store(folder / "results")
    rows = store.read()
    found = Counter(row.key for row in rows)
    assert store.problems == [] and set(found.values()) == {1}
    measured = Counter(row.combination for row in rows)
    assert {measured[name] for name in names} == {len(small.metrics("cost"))}
    states = Counter(trial.state for trial in trials(folder / "results"))
    assert states[TrialState.RUNNING] == 0
    ended = [t for t in trials(folder / "results") if t.params and t.state != TrialState.FAIL]
    assert len(ended) == searched
    assert list((folder / "results").rglob("claims/*")) == []


def test_a_full_disk_while_rows_are_written(tmp_path, call):
    path = small.study(tmp_path, combinations=LONG[:4])
    for size in (40, 1000, 3000, 4500):
        with full_at(size):
            told(call("sweep", path), "small.0.jsonl")
        assert all(file.read_bytes()[-1:] in (b"", b"\n") for file in tmp_path.rglob("*.jsonl"))
    assert call("sweep", path)[0] == 0
    complete(tmp_path, LONG[:4])


def test_a_full_disk_while_the_journal_is_written(tmp_path, call, monkeypatch):
    # Each call stands for a process: a trial of the one before it has a dead owner.
    monkeypatch.setattr("htpbench.search.sweep.alive", lambda *_: False)
    path = small.study(tmp_path, SPACE.format(3), combinations=LONG[:2])
    assert call("sweep", path)[0] == 0
    (file,) = tmp_path.rglob("*.journal")
    size = len(file.read_bytes())
    file.unlink()
    for part in (0.01, 0.4, 0.8):
        with full_at(int(size * part)):
            told(call("sweep", path), file.name if part < 0.1 else "results")
        assert file.read_bytes()[-1:] in (b"", b"\n"), "what does not fit is not there at all"
    assert call("sweep", path)[0] == 0
    complete(tmp_path, LONG[:2], searched=3)


def test_a_line_that_a_killed_worker_left_is_cut_off_before_the_next(tmp_path):
    from htpbench.search.storage import open_journal

    path = tmp_path / "a.journal"
    storage = open_journal(path)
    with path.open("ab") as file:
        file.write(b'{"op_code": 4, "work')
    storage.create_new_study([], "one")
    assert b'"work{' not in path.read_bytes() and path.read_bytes().endswith(b"\n")
    assert [study.study_name for study in open_journal(path).get_all_studies()] == ["one"]


def test_a_full_disk_leaves_no_claim(tmp_path):
    here = Claims(tmp_path / "claims")
    with full_at(20), pytest.raises(BenchError, match=r"claims.*--results"), here.hold("a"):
        pytest.fail("held without saying by whom")
    assert list((tmp_path / "claims").iterdir()) == []


@pytest.mark.processes
@pytest.mark.slow
def test_a_full_disk_while_two_workers_write(tmp_path):
    path = small.study(tmp_path, SPACE.format(2), combinations=LONG[:4])
    command = ("-m", "htpbench", "sweep", path, "--workers", 2)
    with full_at(2500):  # a start inherits the limit
        code, _, err = small.finished(small.launched(*command, cwd=tmp_path))
    told((code, err))
    assert "Traceback" not in err
    assert list((tmp_path / "results").rglob("claims/*")) == []
    code, _, err = small.finished(small.started(*command, cwd=tmp_path))
    assert code == 0, err
    complete(tmp_path, LONG[:4], searched=2)


@pytest.mark.slow
def test_a_full_disk_while_reports_are_written(tmp_path, call):
    path = small.study(tmp_path, meters=("cost", "accuracy"))
    reports = tmp_path / "reports" / "local" / "small"
    assert call("sweep", path)[0] == 0
    before = {file.name: file.read_bytes() for file in reports.iterdir()}
    shutil.rmtree(reports)
    for size in (100, 3000, 30000):
        with full_at(size):
            told(call("report", path), "reports/local/small/")
        assert {file.name for file in reports.iterdir()} <= before.keys(), "drafts are left"
    assert call("report", path)[0] == 0
    assert {file.name: file.read_bytes() for file in reports.iterdir()} == before


def test_a_full_disk_while_a_state_of_training_is_written(tmp_path, call):
    small.motion_file(tmp_path)
    command = ["train", small.NETWORK, "--data", "motion.npz", "--steps", 3, "--batch", 2]
    assert call(*command, "--out", "whole")[0] == 0
    size = (tmp_path / "whole" / "state.safetensors").stat().st_size
    for limit in (
        10,
        size // 4,
        size - 100,
    ):  # its card, the state at the start, the one at the end
        with full_at(limit):
            told(call(*command, "--out", "again"), "again/")
    assert call(*command, "--out", "again")[0] == 0
    states = [(tmp_path / out / "weights.safetensors").read_bytes() for out in ("whole", "again")]
    assert states[0] == states[1]
    assert {f.name for f in (tmp_path / "again").iterdir()} == {
        f.name for f in (tmp_path / "whole").iterdir()
    }


@pytest.mark.parametrize(
    "name",
    ["../claims.lock", "small.0.jsonl", "small.journal", "small.journal.lock", "small.trials.lock"],
)
def test_a_folder_in_the_place_of_a_file(tmp_path, call, name):
    path = small.study(tmp_path)
    assert call("sweep", path)[0] == 0
    machine = small.machine(tmp_path / "results")
    for file in machine.iterdir():
        file.rmdir() if file.is_dir() else file.unlink()
    (machine / name).unlink(missing_ok=True)
    (machine / name).mkdir()
    told(call("sweep", path), "results")
    (machine / name).rmdir()
    assert call("sweep", path)[0] == 0
    complete(tmp_path, [small.NETWORK, small.PRUNED])


def test_a_line_cut_in_the_middle_of_a_results_file_loses_its_row_alone(tmp_path, call):
    path = small.study(tmp_path)
    assert call("sweep", path)[0] == 0
    (file,) = tmp_path.rglob("*.jsonl")
    lines = file.read_bytes().split(b"\n")
    lines[2] = lines[2][:60]
    file.write_bytes(b"\n".join(lines))
    code, err = call("sweep", path)
    assert code == 0 and f"{file.name}:3" in err and "could not be read: 1" in err
    after = file.read_bytes().split(b"\n")
    assert after[: len(lines) - 1] == lines[:-1] and len(after) == len(lines) + 1
    found = Counter(row.key for row in Store(tmp_path / "results").read())
    assert set(found.values()) == {1} and len(found) == 2 * len(small.metrics("cost"))


# Neither counts nor draws, which takes seconds; the rows are as many.
QUICK = "import pytest, small; small.quick(pytest.MonkeyPatch()); small.cli.main()"
MOUNTED = """
set -e
mount -t tmpfs -o size=16m tmpfs disk
cp -r before/. disk && cd disk
rm results/*/small.0.jsonl
{fault}
set +e
{sweep} > /dev/null; echo "code $?"
{repair}
{sweep} > /dev/null 2>&1; echo "code $?"; cat results/*/*.jsonl | wc -l
"""


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "repair", "said"),
    [
        ("mount -o remount,ro ../disk", "mount -o remount,rw ../disk", "Read-only"),
        ("head -c 99999999 /dev/zero > filler || true", "rm filler", "No space left"),
    ],
    ids=["read-only", "full"],
)
def test_a_file_system_of_its_own(tmp_path, fault, repair, said):
    """Read-only for root as well, and full with the system's own words."""
    tried = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"]
    if not shutil.which("unshare") or subprocess.run(tried, capture_output=True).returncode:
        pytest.skip("no file system may be mounted here")
    path = small.study(tmp_path)
    for name in ("before", "disk"):
        (tmp_path / name).mkdir()
    path.rename(tmp_path / "before" / path.name)
    quick = small.started("-c", QUICK, "sweep", path.name, cwd=tmp_path / "before")
    assert small.finished(quick)[0] == 0
    script = MOUNTED.format(
        sweep=f"$PYTHON -c '{QUICK}' sweep small.toml", fault=fault, repair=repair
    )
    done = small.started(
        "-c",
        "import os, subprocess, sys; os.environ['PYTHON'] = sys.executable; "
        "sys.exit(subprocess.run(['unshare', '-rm', 'sh', '-c', sys.argv[1]]).returncode)",
        script,
        cwd=tmp_path,
    )
    code, out, err = small.finished(done)
    assert code == 0, err
    assert out.split() == ["code", "2", "code", "0", str(1 + 2 * len(small.metrics("cost")))], (
        out,
        err,
    )
    assert said in err and "--results" in err and "Traceback" not in err

"""Claims: one winner, whatever dies; and the lock of a device."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import small

from htpbench.bench import claims, devices
from htpbench.bench.claims import Busy, Claims, alive, born, in_turn, myself
from htpbench.errors import BenchError

RACE = """
import sys, time
from pathlib import Path
from htpbench.bench.claims import Claims
claims, start = Claims(Path("claims")), float(sys.argv[1])
time.sleep(max(0, start - time.time()))
print(sum(claims.take(f"{i:016x}") is not None for i in range(20)), flush=True)
sys.stdin.read()
"""


def dead():
    """The owner that a process of this host was."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    small.RUNNING.append(process)
    owner = {"host": claims.host(), "process": process.pid, "born": born(process.pid)}
    assert alive(owner, 1e9), "however old its claim is"
    process.communicate(b"\n")
    return owner


def test_a_claim_is_held_once_and_given_back(tmp_path):
    here = Claims(tmp_path / "claims")
    with here.hold("a") as deaths:
        (file,) = (tmp_path / "claims").iterdir()
        assert deaths == 0 and myself().items() <= json.loads(file.read_text()).items()
        with pytest.raises(Busy), Claims(tmp_path / "claims").hold("a", wait=False):
            pytest.fail("two hold it")
        with here.hold("b", wait=False):
            pass
    with pytest.raises(ZeroDivisionError), here.hold("a", wait=False):
        raise ZeroDivisionError
    assert list((tmp_path / "claims").iterdir()) == []


INTERRUPTED = """
import itertools, sys
from pathlib import Path
from htpbench.bench import claims

CODE = claims.__file__, "contextlib", "filelock", "pathlib"

def run(here, at):
    count = 0

    def trace(frame, event, _):
        nonlocal count
        if not any(part in frame.f_code.co_filename for part in CODE):
            return None
        count += event == "line"
        if count == at:
            raise KeyboardInterrupt  # tracing ends with it
        return trace

    try:
        sys.settrace(trace)
        with here.hold("a"):
            pass
        sys.settrace(None)
    except KeyboardInterrupt as stop:
        return stop
    assert count < at, "it was swallowed"

stops = []  # with the frames of each, and locks in them, as while a process ends
for at in itertools.count(1, 3):  # all would take long
    with claims.Claims(Path(f"claims/{at}")) as here:
        stops.append(run(here, at))
        if stops[-1] is None:
            break
    assert not list(here.folder.glob("*")), (at, stops[-1].__traceback__)
print(at, flush=True)
"""


@pytest.mark.processes
@pytest.mark.slow
def test_ctrl_c_at_any_moment_leaves_no_claim_and_no_lock(tmp_path):
    """Before every third line of claims.py, and of the locks and files that it uses."""
    process = small.launched("-c", INTERRUPTED, cwd=tmp_path)
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert int(out) > 500


@pytest.mark.parametrize("left", ["dead", "reused", "zombie", "cut", "old"])
def test_what_the_dead_held_is_free_and_their_number_is_told(tmp_path, left):
    here, path = Claims(tmp_path / "claims"), tmp_path / "claims" / "k"
    path.parent.mkdir()
    if left == "zombie":
        process = subprocess.Popen([sys.executable, "-c", ""])
        small.RUNNING.append(process)
        owner = {"host": claims.host(), "process": process.pid, "born": born(process.pid)}
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        owner = dead()
    if left == "reused":
        owner["process"] = os.getpid()
    if left == "old":
        owner["host"] = "elsewhere"
    text = json.dumps({**owner, "deaths": 1})
    path.write_text(text[:20] if left == "cut" else text)
    if left == "old":
        assert here.take("k") is None, "it may live elsewhere"
        os.utime(path, (0, time.time() - claims.ELSEWHERE_S - 5))
    assert here.take("k") == (1 if left == "cut" else 2)
    assert here.take("k") is None
    here.release("k")
    assert not path.exists()
    if left == "zombie":
        process.wait()


def test_what_was_taken_over_is_not_given_back_by_who_held_it_before(tmp_path):
    here, path = Claims(tmp_path / "claims"), tmp_path / "claims" / "k"
    assert here.take("k") == 0
    path.write_text(json.dumps({**myself(), "host": "elsewhere", "deaths": 1}))
    here.release("k")
    assert path.exists()


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("free", [False, True], ids=["new", "of the dead"])
def test_many_takers_have_one_winner(tmp_path, free):
    (tmp_path / "claims").mkdir()
    if free:
        owner = dead()
        for i in range(20):
            (tmp_path / "claims" / f"{i:016x}").write_text(json.dumps(owner))
    start = time.time() + 1.5
    takers = [
        subprocess.Popen(
            [sys.executable, "-c", RACE, str(start)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(small.ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    small.RUNNING.extend(takers)
    won = [int(taker.stdout.readline()) for taker in takers]  # all live until the last has tried
    for taker in takers:
        taker.communicate("", timeout=30)
    assert sum(won) == 20


def test_work_that_is_busy_is_tried_again_after_the_rest():
    done, held = [], {"a": 2, "c": 1}

    def work(unit):
        if held.get(unit, 0):
            held[unit] -= 1
            raise Busy(unit)
        done.append(unit)

    in_turn("abcd", work)
    assert done == ["b", "d", "c", "a"]


def test_a_folder_that_cannot_be_written_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(BenchError, match=r"claims.*--results"),
        Claims(tmp_path / "file" / "claims").hold("a"),
    ):
        pytest.fail("held")


HOLD = """
import sys, time
from htpbench.bench import devices
from htpbench.bench.devices import device_lock
devices.gpu_id = {uuids}.get
for _ in range({times}):
    with device_lock("{device}", shared={shared}):
        print("in", flush=True)
        time.sleep({seconds})
"""


def holder(folder, device, times, shared, seconds):
    code = HOLD.format(uuids=UUIDS, device=device, times=times, shared=shared, seconds=seconds)
    process = small.started("-c", code, cwd=folder)
    assert process.stdout.readline() == "in\n"
    return process


@pytest.fixture
def private(tmp_path, monkeypatch):
    """Locks that no other run of these tests sees."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(devices.tempfile, "tempdir", None)


@pytest.mark.processes
@pytest.mark.slow
def test_who_wants_a_device_alone_gets_it_from_those_who_share_it(tmp_path, private):
    sharing = [holder(tmp_path, "cpu", 1000, True, 0.05) for _ in range(2)]  # never free by chance
    begun = time.monotonic()
    with device_lock_within(10), devices.device_lock("cpu"):  # again, by whoever has it
        said = [process.stdout for process in sharing]
        assert time.monotonic() - begun < 10
        time.sleep(0.3)
    for process in sharing:
        process.send_signal(signal.SIGKILL)
        small.finished(process)
    assert all(said)


def device_lock_within(seconds):
    """The lock, or TimedOut."""

    class Within:
        def __enter__(self):
            with devices.deadline(seconds):
                self.lock = devices.device_lock("cpu")
                self.lock.__enter__()

        def __exit__(self, *_):
            self.lock.__exit__(None, None, None)

    return Within()


UUIDS = {"cuda": "GPU-a", "cuda:0": "GPU-a", "cuda:1": "GPU-b"}  # what torch would tell


def refused(device, shared):
    """Whether a device cannot be had at once."""
    try:
        with devices.deadline(0.2), devices.device_lock(device, shared):
            return False
    except devices.TimedOut:
        return True


@pytest.mark.processes
def test_a_device_is_free_when_its_holder_was_killed(tmp_path, private, monkeypatch):
    """Whoever times a GPU needs the CPU that launches its work; all of them may be shared."""
    monkeypatch.setattr(devices, "gpu_id", UUIDS.get)
    alone = holder(tmp_path, "cuda:1", 1, False, 60)
    assert all(refused(one, shared) for one in ("cuda:1", "cpu") for shared in (True, False))
    alone.kill()
    small.finished(alone)
    sharing = holder(tmp_path, "cuda:1", 1, True, 60)
    assert not any(refused(one, True) for one in ("cuda:1", "cuda", "cpu"))
    assert all(refused(one, False) for one in ("cuda:1", "cuda", "cpu"))
    sharing.kill()
    small.finished(sharing)
    assert not refused("cuda:1", False)
    assert {"htpbench-GPU-a.lock", "htpbench-GPU-b.lock"} <= {p.name for p in tmp_path.iterdir()}


def test_a_deadline_that_is_kept_leaves_nothing_behind():
    before = signal.getsignal(signal.SIGALRM)
    with devices.deadline(0.2):
        pass
    with devices.deadline(None):
        time.sleep(0.3)
    assert signal.getsignal(signal.SIGALRM) == before

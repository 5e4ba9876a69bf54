"""Standard output that is closed or full, Ctrl-C at once, waiting that is said, locks in /tmp."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small
import torch
from paths import ROOT
from rich.console import Console

from htpbench.bench.claims import Claims
from htpbench.bench.devices import device_lock
from htpbench.errors import BenchError, interruption
from htpbench.measuring import counting
from htpbench.outside import progress, waiting
from htpbench.outside.passwords import hidden
from htpbench.outside.progress import bar
from htpbench.outside.waiting import described
from htpbench.records.rows import Store

PLAN = f"{sys.executable} -m htpbench plan {small.NETWORK} {small.PRUNED}"
COST = f"{sys.executable} -m htpbench cost {small.NETWORK} --format csv"


def shell(line):
    """(exit code, stderr) of a line of bash."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line], capture_output=True, text=True, env=environment
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (f"{PLAN} | head -0", 0),
        (f"{COST} | head -0", 0),
        (f"{PLAN} >&-", 0),
        (f"{PLAN} 2>&-", 0),
        (f"{PLAN} 2>/dev/full", 0),
        (f"{PLAN}-wrong 2>&-", 2),
        (f"{PLAN}-wrong 2>/dev/full", 2),
    ],
)
def test_a_reader_that_left_is_no_error(line, code):
    assert shell(line) == (code, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
@pytest.mark.parametrize("line", [PLAN, COST, f"{sys.executable} -m htpbench --help"])
def test_a_full_output_is_told(line):
    code, err = shell(f"{line} > /dev/full")
    assert code == 2 and "cannot write to <stdout>: No space left" in err
    assert "Traceback" not in err and "ignored" not in err


@pytest.mark.processes
def test_ctrl_c_while_modules_are_imported_is_quiet(tmp_path):
    """The entry point itself imports nothing that takes time; the rest is slow on purpose."""
    (tmp_path / "cyclopts.py").write_text("print(flush=True)\nimport time\ntime.sleep(60)\n")
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        found = small.launched(
            "-c", "import sys; sys.path.insert(0, ''); from htpbench.cli import main; main()",
            cwd=tmp_path,
        )  # fmt: skip
        found.stdout.readline()
        found.send_signal(number)
        assert small.finished(found) == (code, "", "")


def test_the_entry_point_is_light():
    heavy = {"cyclopts", "rich", "pydantic", "numpy", "torch", "htpbench.errors"}
    code = f"import sys, htpbench.cli; print(sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert found.stdout == "[]\n"


def test_an_import_that_turns_ctrl_c_into_another_error_is_ctrl_c_still():
    stop = KeyboardInterrupt(130)
    error = RuntimeError("error calling __set_name__")
    error.__cause__ = stop
    assert interruption(error) is stop
    assert interruption(RuntimeError("x")) is None


def test_a_measurement_that_was_stopped_is_no_failure():
    from htpbench.bench.outcome import failure_reason

    error = RuntimeError("error calling __set_name__")
    error.__cause__ = KeyboardInterrupt(143)
    with pytest.raises(KeyboardInterrupt, match="143"):
        failure_reason(error)


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """The folder of the locks."""
    monkeypatch.setenv("HTPBENCH_LOCKS", str(tmp_path))
    return tmp_path


def link(path, private):
    path.symlink_to(private)


def hard_link(path, private):
    os.link(private, path)


@pytest.mark.parametrize(
    "make",
    [
        link,
        hard_link,
        lambda path, private: path.symlink_to("nowhere"),
        lambda path, private: path.mkdir(),
        lambda path, private: os.mkfifo(path),
    ],
    ids=["link", "hard link", "dangling", "folder", "fifo"],
)
@pytest.mark.parametrize("name", ["htpbench-cpu-0.lock", "htpbench-cpu-0.turnstile"])
def test_a_lock_is_a_file_of_its_own(temporary, make, name):
    private = temporary / "private"
    private.write_text("mine")
    private.chmod(0o600)
    make(temporary / name, private)
    with (
        pytest.raises(BenchError, match=rf"{name}, cannot be used.*HTPBENCH_LOCKS"),
        device_lock("cpu"),
    ):
        pytest.fail("locked")
    assert (private.read_text(), stat.S_IMODE(private.stat().st_mode)) == ("mine", 0o600)
    assert not (temporary / "nowhere").exists()


def test_only_a_lock_that_was_made_gets_the_mode(temporary):
    path = temporary / "htpbench-cpu-0.lock"
    before = os.umask(0o077)
    try:
        with device_lock("cpu"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666
    path.chmod(0o600)
    with device_lock("cpu"):
        pass
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_lock_that_cannot_be_used_ends_a_sweep_and_is_no_row(
    temporary, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (temporary / "htpbench-cpu-0.lock").mkdir()
    for meters in (("cost",), ("time",)):
        path = small.study(tmp_path, meters=meters)
        assert small.call(monkeypatch, "sweep", path, "--results", "r") == 2
        assert "htpbench-cpu-0.lock" in capsys.readouterr().err
    assert Store(tmp_path / "r").read() == []


def test_a_device_that_breaks_ends_a_sweep_and_is_no_row(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    path = small.study(tmp_path)

    def broken(device):
        raise BenchError(f"device {device!r} cannot be used here")

    monkeypatch.setattr("htpbench.bench.runner.check_device", broken)
    assert small.call(monkeypatch, "sweep", path) == 2
    assert "device 'cpu'" in capsys.readouterr().err
    assert Store(tmp_path / "results").read() == []


def test_a_device_that_a_combination_breaks_for_good_is_one_row(tmp_path, monkeypatch, capsys):
    """As CUDA is after an assertion on the device: every later call fails."""
    monkeypatch.chdir(tmp_path)
    path, broken = small.study(tmp_path), []

    def measure(lifter):
        broken.append(lifter)
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    def look(device):
        if broken:
            raise BenchError(f"device {device!r} cannot be used here")

    monkeypatch.setattr(counting, "measure", measure)
    monkeypatch.setattr("htpbench.bench.runner.check_device", look)
    assert small.call(monkeypatch, "sweep", path) == 2
    assert "device 'cpu'" in capsys.readouterr().err
    rows = Store(tmp_path / "results").read()
    assert {(row.combination, row.status) for row in rows} == {(small.NETWORK, "failed")}
    assert len(broken) == 1


HOLD = """
import sys, time
from htpbench.bench.devices import device_lock
with device_lock("cpu", shared=sys.argv[1] == "shared"):
    print("held", flush=True)
    time.sleep(1)
"""


@pytest.mark.processes
@pytest.mark.parametrize("how", ["shared", "alone"])
def test_who_waits_says_for_whom(temporary, tmp_path, monkeypatch, caplog, how):
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.1)
    holder = small.started("-c", HOLD, how, cwd=tmp_path)
    assert holder.stdout.readline() == "held\n"
    with device_lock("cpu"):
        assert holder.wait(20) == 0
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("waiting for cpu: ")
    if Path("/proc/locks").exists():
        assert f"pid {holder.pid}, " in caplog.messages[0]
    small.finished(holder)


@pytest.mark.processes
def test_who_waits_for_a_measurement_says_for_whom(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom htpbench.bench.claims import Claims\n"
        "with Claims(Path('claims')).hold('a'):\n    print(flush=True)\n    time.sleep(1)\n"
    )
    holder = small.started("-c", code, cwd=tmp_path)
    holder.stdout.readline()
    with Claims(tmp_path / "claims").hold("a"):
        pass
    told = f"waiting for what another process measures: pid {holder.pid}, "
    assert caplog.messages[0].startswith(told)
    small.finished(holder)


def test_a_wait_of_no_length_says_nothing(temporary, caplog):
    with device_lock("cpu"):
        pass
    assert caplog.messages == []


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="Linux alone tells commands")
def test_a_process_is_described_by_its_command_without_secrets():
    code = "import time; print(flush=True); time.sleep(60)"
    words = ["/x/htpbench", "run", "--storage", "postgresql://u:s3cr@et@h/d", "\x1b[2J", "a" * 200]
    process = small.launched("-c", code, *words, cwd="/")
    process.stdout.readline()
    said = described(process.pid)
    process.kill()
    small.finished(process)
    assert said.startswith(
        f"pid {process.pid}, htpbench run --storage postgresql://***@h/d \\x1b[2J a"
    )
    assert len(said) < 130 and said.endswith(" ...")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h/d", "postgresql://***@h/d"),
        ("postgresql://u:se@cr/et@h:1/d", "postgresql://***@h:1/d"),
        ("postgresql://u@v:secret@h/d", "postgresql://***@h/d"),
        ("postgresql://h/d?user=u&password=secret", "postgresql://h/d?user=u&password=***"),
        ("postgresql://h/d", "postgresql://h/d"),
        ("mixste-27+tps:9@1+tri", "mixste-27+tps:9@1+tri"),
    ],
)
def test_passwords_are_hidden(url, shown):
    assert hidden(url) == shown


def test_a_log_gets_a_line_for_each_finished_unit(tmp_path):
    with (tmp_path / "log").open("w") as file:
        console = Console(file=file, width=20)
        with bar(console) as tick:
            for done, text in ((0, "a"), (1, "a"), (1, "b: cost"), (1, "b: time"), (2, "b" * 40)):
                tick(done, 2, text)
        with bar(console, small=True) as tick:
            for done in range(1, 1001):
                tick(done, 1000, "x")
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines[:2] == ["1/2 a", f"2/2 {'b' * 40}"]
    assert lines[2:] == [f"{done}/1000 x" for done in range(10, 1001, 10)]


def test_a_log_says_after_a_silence_what_is_being_done(tmp_path, monkeypatch):
    now = iter([0.0, 1.0, 61.0, 62.0])  # at the start and at each tick
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with (tmp_path / "log").open("w") as file:
        tick = progress.lines(Console(file=file, width=20), small=False)
        for text in ("process 1 of 5", "process 2 of 5", "process 3 of 5"):
            tick(0, 4, text)
    assert (tmp_path / "log").read_text().splitlines() == ["0/4 process 2 of 5"]


@pytest.mark.processes
def test_waiting_does_not_wake_the_machine_once_it_is_said(temporary, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(waiting, "PATIENCE_S", 0.0)
    holder = small.started("-c", HOLD, "alone", cwd=tmp_path)
    holder.stdout.readline()
    slept = []
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: slept.append(seconds) or sleep(seconds))
    with device_lock("cpu"):
        pass
    assert 1 <= len(slept) <= 3
    small.finished(holder)

"""Workers on devices of their own: who measures where, and what is refused."""

import sys
from contextlib import nullcontext

import pytest
import small

from htpbench.cli import devices, workers
from htpbench.measuring import environment
from htpbench.search.sweep import Trials
from htpbench.study import loading

BOTH = "cuda:0,cuda:1"


@pytest.fixture
def gpus(monkeypatch):
    """As if this machine had any number of GPUs."""
    monkeypatch.setattr(environment, "check_device", lambda device: None)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ((None, None, None), ["cpu"]),
        (("cuda:1", None, 2), ["cuda:1", "cuda:1"]),
        ((None, BOTH, None), ["cuda:0", "cuda:1"]),
        ((None, BOTH, 3), ["cuda:0", "cuda:1", "cuda:0"]),
        ((None, "cuda:10,cuda:1", None), ["cuda:10", "cuda:1"]),
        ((None, "cuda,cpu", None), ["cuda", "cpu"]),
    ],
)
def test_devices_go_round(gpus, asked, expected):
    assert devices.placed(*asked) == expected


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--devices", BOTH, "--device", "cpu"], "name one of the two"),
        (["--devices", "cuda:0,cuda:1,cuda:2", "--workers", 2], "--workers 2 with 3 devices"),
        (["--devices", "cpu,cpu"], "expected each device once"),
        (["--devices", "cuda,cuda:0"], "expected each device once"),
        (["--devices", "cuda:1,cpu", "--graph"], "name a GPU with --device cuda"),
        (["--devices", BOTH, "--workers", 0], "--workers: expected more than 0"),
    ],
)
def test_devices_that_make_no_sense_are_refused(gpus, tmp_path, monkeypatch, capsys, wrong, told):
    assert small.call(monkeypatch, "sweep", small.study(tmp_path), *wrong) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("named", ["gpu", "cpu,gpu", "cpu,", "cpu,cuda:77"])
def test_a_device_that_is_not_there_is_told_before_a_worker_starts(
    tmp_path, monkeypatch, capsys, named
):
    monkeypatch.setattr(workers, "helped", lambda *_: pytest.fail("a worker was started"))
    assert small.call(monkeypatch, "sweep", small.study(tmp_path), "--devices", named) == 2
    assert f"device {named.split(',')[-1]!r} cannot be used" in capsys.readouterr().err


def test_each_worker_is_told_its_own_device(gpus, tmp_path, monkeypatch, capsys):
    started = []
    monkeypatch.setattr(workers, "helped", lambda commands: nullcontext(started.extend(commands)))
    run = small.command_line(tmp_path, monkeypatch, capsys)
    path = small.study(tmp_path)
    code, _, err = run("sweep", path, "--devices", "cpu,cuda:0,cuda:1", "--workers", 4, "--retry")
    assert code == 0, err
    assert [command[-3:] for command in started] == [
        ["--device", device, "--as-worker"] for device in ("cuda:0", "cuda:1", "cpu")
    ]
    assert all("--retry" in command and "--devices" not in command for command in started)


@pytest.mark.parametrize("words", [["--devices", BOTH], [f"--devices={BOTH}"], ["--device", "cpu"]])
def test_a_worker_s_command_names_one_device(monkeypatch, words):
    monkeypatch.setattr(sys, "argv", ["htpbench", "sweep", *words, "--seed", "2"])
    assert workers.same_command("cuda:1")[4:] == [
        "sweep", "--seed", "2", "--device", "cuda:1", "--as-worker",
    ]  # fmt: skip


def test_workers_run_their_commands(tmp_path):
    say = "import pathlib, sys; pathlib.Path(sys.argv[1], sys.argv[2]).touch()"
    with workers.helped([sys.executable, "-c", say, tmp_path, name] for name in ("a", "b")):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b"}


def test_gpus_share_the_trials_of_a_search(tmp_path):
    text = "[search]\nbackbone = 'mixste.tiny-9'\npruners = ['tps']\nrecoverers = ['tri']"
    runner = small.runner(
        loading.load(str(small.study(tmp_path, f"{text}\ntrials = 2"))), tmp_path / "results"
    )
    names = []
    for runner.context.device in ("cuda:0", "cuda:1", "cpu"):
        names.append(Trials(runner, None, 0).all.study_name)
    assert names[0] == names[1] != names[2]

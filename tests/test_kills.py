"""SIGKILL at random moments: the same command ends well, and every output is the old or the new.

HTPBENCH_KILLS=40 spreads so many over the commands; the suite takes a few.
"""

import os
import random
import shutil
import signal
import time

import pytest
import small

KILLS = int(os.environ.get("HTPBENCH_KILLS", "4"))
VERBS = ("train", "report", "check", "lift")
GATE = """
import htpbench.study.loading
load = htpbench.study.loading.load
htpbench.study.loading.load = lambda name: load("small.toml")
from htpbench.cli import main
main()
"""
TRAIN = ("--data", "motion.npz", "--steps", 60, "--batch", 2, "--out", "out")
# The command, what it makes new and what it is told to make old before.
COMMANDS = {
    "train": (("-m", "htpbench", "train", small.NETWORK, *TRAIN), None),
    "report": (("-m", "htpbench", "report", "small.toml", "--reports", "out"), "out"),
    "check": (("-c", GATE, "check", "--pin", "--against", "out/gate.jsonl"), "out"),
    "lift": (
        ("-m", "htpbench", "lift", small.PRUNED, "--weights", "random", "--data", "motion.npz",
         "--out", "out/poses.npz"),
        "out",
    ),
}  # fmt: skip


def done(folder, *command):
    code, _, err = small.finished(small.started(*command, cwd=folder))
    assert code == 0, err


def contents(folder):
    """The files of a folder that are no drafts."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".part"
    }


def prepare(folder, verb):
    """The old and the new output of a verb, each from a run that nobody disturbed."""
    command, _ = COMMANDS[verb]
    small.study(folder, combinations=[small.NETWORK])
    if verb == "report":
        done(folder, "-m", "htpbench", "cost", "--study", "small.toml")
    elif verb == "lift":
        command = (*command, "--seed", 1)
    if verb != "train":
        done(folder, *command)
    old = contents(folder / "out")
    shutil.move(folder / "out", folder / "old") if old else (folder / "old").mkdir()
    if verb != "lift":
        small.study(folder)
    if verb == "report":
        done(folder, "-m", "htpbench", "cost", "--study", "small.toml")
    began = time.monotonic()
    done(folder, *COMMANDS[verb][0])
    lasts = time.monotonic() - began
    new = contents(folder / "out")
    return old, new, lasts


def killed(folder, verb, rng, lasts):
    """Start the verb and kill it: at any moment, or where a draft is being written."""
    process = small.started(*COMMANDS[verb][0], cwd=folder)
    drafts = rng.random() < 0.6
    moment = time.monotonic() + rng.random() * lasts * 0.7 + drafts * lasts * 0.3
    while process.poll() is None and time.monotonic() < moment:
        if drafts and list((folder / "out").glob(".*.part")):
            time.sleep(rng.random() * 0.02)
            break
        time.sleep(0.0005)
    process.send_signal(signal.SIGKILL)
    return small.finished(process)[0]


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS)
def test_a_killed_command_ends_well_when_repeated(tmp_path, verb):
    rng = random.Random(verb)
    old, new, lasts = prepare(tmp_path, verb)
    wanted = max(KILLS // len(VERBS), 1)
    hits = missed = 0
    while hits < wanted:
        shutil.rmtree(tmp_path / "out")
        shutil.copytree(tmp_path / "old", tmp_path / "out")
        if killed(tmp_path, verb, rng, lasts) == -signal.SIGKILL:
            hits += 1
        else:  # it had ended: a machine is not always equally fast
            missed, lasts = missed + 1, 0.8 * lasts
            assert missed <= 10 + wanted, "kills hit no command at work"
        for name, found in contents(tmp_path / "out").items():
            if verb == "train" and name.startswith(("state", "best")):
                continue  # they change on the way; resuming reads them
            assert same(verb, found, (old.get(name), new.get(name))), f"{name} is neither"
        done(tmp_path, *COMMANDS[verb][0])
        found = contents(tmp_path / "out")
        assert found.keys() == new.keys()
        assert all(same(verb, found[name], (new[name],)) for name in new)
    print(f"{verb}: {hits} kills hit")


def same(verb, found, wholes):
    """Whether a file is one of the whole ones; pinned rows say when they were measured."""
    if verb != "check":
        return found in wholes
    lines = [each.count(b"\n") for each in wholes if each is not None]
    return found.endswith(b"}\n") and found.count(b"\n") in lines

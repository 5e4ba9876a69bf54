"""Several processes for one sweep, on this machine.

Each runs the same command with --as-worker; claims share the work among them and with whoever
started the command elsewhere.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from htpbench.errors import BenchError
from htpbench.outside.waiting import log

if TYPE_CHECKING:
    from htpbench.bench.runner import Runner
    from htpbench.outside.progress import Tick
    from htpbench.records.results import Results
    from htpbench.records.rows import Row
    from htpbench.study.study import Study

TERMINATED = 128 + signal.SIGTERM  # how a worker ends that was asked to
STOP_S = 30.0  # how long a worker may take to end cleanly
STORAGE = "HTPBENCH_STORAGE"  # the variable that stands for --storage


def measured(
    runner: Runner, runs: Path, storage: str | None, tick: Tick, beside: Sequence[str] = ()
) -> list[Row]:
    """The rows of a study, measured here and by a process on each of the devices `beside`."""
    if runner.study.training:
        check_storage(storage)
        from htpbench.training.regimes import sweep as train_and_measure

        sweep = partial(train_and_measure, runner, runs / runner.study.name, tick)
    else:
        from htpbench.search.sweep import sweep as search

        sweep = partial(search, runner, tick, storage)
    runner.index.begin()  # what the other workers will fail at, they failed at in this sweep
    if beside:
        prepare(storage)
    commands = [same_command(device) for device in beside]
    with handed_on(storage), helped(commands), runner.claims, runner.shared:
        return sweep()


def remember(runner: Runner, study: Study, rows: Iterable[Row], everything: Results) -> Results:
    """Write down which rows a sweep is made of, where a report of the study would take others.

    `study`: as its file says, which is what `report` knows; the runner may use it otherwise.
    `everything`: all results as they are now; returns them with what was written.
    """
    from htpbench.report.current import current

    keys = {row.key for row in rows}
    told = keys == {row.key for row in current(study, everything)}
    if told or study.table is not None:  # whose report is of more meters than it sweeps
        return everything
    with runner.writer() as writer:
        return everything.after(writer.finish(sorted(keys)))


def check_storage(storage: str | None) -> None:
    """BenchError for an address that cannot be one, also where no trials need it."""
    if storage is not None:
        from htpbench.search.storage import checked

        checked(storage)


def prepare(storage: str | None) -> None:
    """Make the schema of a database once, before many workers want it."""
    if storage:
        from htpbench.search.storage import open_storage, talking

        with talking(storage):
            open_storage(storage, Path())


def same_command(device: str) -> list[str]:
    """What this process was asked to do, for one worker; nothing beside it is imported (-P).

    The storage's address is left out, which `handed_on` gives: others see commands, and Slurm jobs
    keep them in files.
    """
    asked = without(sys.argv[1:], "--storage", "--device", "--devices")
    return [sys.executable, "-P", "-m", "htpbench", *asked, "--device", device, "--as-worker"]


def without(words: Iterable[str], *options: str) -> list[str]:
    """The words of a command but some options and their values."""
    left, following = [], iter(words)
    for word in following:
        name, equals, _ = word.partition("=")
        if name not in options:
            left.append(word)
        elif not equals:
            next(following, None)
    return left


@contextmanager
def handed_on(storage: str | None) -> Iterator[None]:
    """Variables for the processes that are started meanwhile: a storage, and no import from here.

    The second is for submitit's own processes, as -P is for ours.
    """
    before = dict(os.environ)
    os.environ |= {"PYTHONSAFEPATH": "1"} | ({STORAGE: storage} if storage else {})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def printed(done: int, total: int, text: str) -> None:
    """What a worker says to who started it; one whose parent is gone stops."""
    try:
        print(done, total, text, sep="\t", flush=True, file=sys.__stdout__)
    except BrokenPipeError:
        raise KeyboardInterrupt from None


@contextmanager
def helped(commands: Iterable[list[str]]) -> Iterator[None]:
    """Have a process of each command beside the body; they end by themselves, or with it.

    A killed worker is mentioned; its work is done by the others. BenchError, with what it said, for
    one that ended in an error.
    """
    ending = threading.Event()
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        started = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
            for command in commands
        ]
        readers = [
            threading.Thread(target=followed, args=(process, ending), daemon=True)
            for process in started
        ]
        try:
            for reader in readers:
                reader.start()
            yield
            for process in started:
                process.wait()
        finally:
            ending.set()
            stop(started)
            for reader in readers:
                reader.join()
        ended = {process.returncode for process in started}
        codes = sorted(code for code in ended if code > 0 and code != TERMINATED)
        if codes:
            said.seek(0)
            raise BenchError(f"a worker ended with code {codes[0]}: {said.read().strip()[-4000:]}")


def followed(process: subprocess.Popen, ending: threading.Event) -> None:
    """Read what a worker says until it ends, and mention it where it was killed."""
    with process.stdout as said:  # type: ignore[union-attr]
        said.read()
    code = process.wait()
    if (code < 0 or code == TERMINATED) and not ending.is_set():
        name = signal.Signals(abs(code) % 128).name
        log.warning("worker pid %s was killed (%s); the others do its work", process.pid, name)


def stop(processes: list[subprocess.Popen]) -> None:
    """Ask them to end, then make them."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

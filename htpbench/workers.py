"""Several processes for one sweep: on this machine, or as jobs of a Slurm cluster.

Each runs the same command with --as-worker; claims share the work among them and with whoever
started the command elsewhere.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from htpbench.errors import BenchError

if TYPE_CHECKING:
    from htpbench.progress import Tick
    from htpbench.rows import Row
    from htpbench.run import Bench
    from htpbench.study import Study

STOP_S = 30.0  # how long a worker may take to end cleanly
LOOK_S = 0.1


def measured(
    bench: Bench, runs: Path, storage: str | None, tick: Tick, count: int = 1
) -> list[Row]:
    """The rows of a study, measured by this process, or by `count` others before it."""
    if bench.study.training:
        from htpbench.training.lineage import sweep as train_and_measure

        sweep = partial(train_and_measure, bench, runs / bench.study.name, tick)
    else:
        from htpbench.sweep import sweep as search

        sweep = partial(search, bench, tick, storage)
    if count > 1:
        bench.known.begin()  # what the workers will fail at, they failed at in this sweep
        prepare(storage)
        run(same_command(), count, tick)
    return sweep()


def distributed(
    study: Study, results: Path, storage: str | None, count: int, partition: str, tick: Tick
) -> None:
    """Measure a study in `count` jobs of a cluster, whose machines may be unlike this one."""
    prepare(storage)
    folder = results / "slurm" / study.name
    submit(same_command(), count, partition, folder, tick)


def prepare(storage: str | None) -> None:
    """Make the schema of a database once, before many workers want it."""
    if storage:
        from htpbench.storage import open_storage, talking

        with talking(storage):
            open_storage(storage, Path())


def same_command() -> list[str]:
    """What this process was asked to do, for one worker."""
    return [sys.executable, "-m", "htpbench", *sys.argv[1:], "--as-worker"]


def printed(done: int, total: int, text: str) -> None:
    """How a worker tells its progress; one whose parent is gone stops."""
    try:
        print(done, total, text, sep="\t", flush=True)
    except BrokenPipeError:
        raise KeyboardInterrupt from None


def run(command: list[str], count: int, tick: Tick) -> None:
    """Run `count` processes of a command to their end; none outlives this call.

    A killed worker's work is done by the others. BenchError, with what it said, for one that ended
    in an error.
    """
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        started = [
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True)
            for _ in range(count)
        ]
        furthest = [0]
        readers = [
            threading.Thread(target=follow, args=(process, furthest, tick), daemon=True)
            for process in started
        ]
        try:
            for reader in readers:
                reader.start()
            while any(process.poll() is None for process in started):
                if any((process.returncode or 0) > 0 for process in started):
                    break  # a bad input: the others will meet it too
                time.sleep(LOOK_S)
        finally:
            stop(started)
            for reader in readers:
                reader.join()
        codes = [process.returncode for process in started if process.returncode > 0]
        if codes and codes[0] != 143:  # 143: we stopped it
            said.seek(0)
            raise BenchError(f"a worker ended with code {codes[0]}: {said.read().strip()[-4000:]}")


def follow(process: subprocess.Popen, furthest: list[int], tick: Tick) -> None:
    """Hand on what a worker prints; the bar never goes back."""
    for line in process.stdout or ():
        done, total, text = line.rstrip("\n").split("\t", 2)
        furthest[0] = max(furthest[0], int(done))
        tick(furthest[0], int(total), text)


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


def submit(
    command: list[str], count: int, partition: str, folder: Path, tick: Tick, cluster: str = "slurm"
) -> None:
    """Run `count` jobs of a command in a partition and wait for them; their logs are in `folder`.

    `cluster="local"` runs them here, by submitit's own executor. BenchError without submitit,
    without Slurm, and for a job that failed.
    """
    try:
        import submitit
    except ImportError:
        raise BenchError("--slurm needs submitit: pip install 'htpbench[slurm]'") from None
    try:
        executor = submitit.AutoExecutor(folder, cluster=cluster)
    except RuntimeError as error:
        raise BenchError(f"--slurm {partition}: {error}; is sbatch on the PATH?") from error
    executor.update_parameters(name="htpbench")
    if cluster == "slurm":
        executor.update_parameters(slurm_partition=partition)
    task = submitit.helpers.CommandFunction(command, verbose=False)
    jobs = [executor.submit(task) for _ in range(count)]
    try:
        while not all(job.done() for job in jobs):
            tick(sum(job.done() for job in jobs), count, f"{count} jobs in {partition}")
            time.sleep(1)
    except BaseException:
        for job in jobs:
            job.cancel()
        raise
    failed = [job for job in jobs if job.exception() is not None]
    if failed:
        raise BenchError(f"job {failed[0].job_id} failed; its logs are in {folder}")

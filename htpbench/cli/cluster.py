"""Workers of a sweep as jobs of a Slurm cluster, by submitit."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import Parameter

from htpbench.cli.workers import handed_on, prepare
from htpbench.errors import BenchError

if TYPE_CHECKING:
    from htpbench.outside.progress import Tick
    from htpbench.study.settings import SlurmSettings
    from htpbench.study.study import Study

Partition = Annotated[
    str | None, Parameter(help="Run the workers as jobs in this partition of a cluster.")
]
Minutes = Annotated[
    int | None, Parameter(help="Time limit of a job. Default: the study's [slurm], or a day.")
]
Gpus = Annotated[int | None, Parameter(help="GPUs of a job. Default: the study's, or none.")]
Cpus = Annotated[
    int | None, Parameter(help="CPUs of a job. Default: the study's, or the cluster's.")
]
Memory = Annotated[
    int | None, Parameter(help="GB of memory of a job. Default: the study's, or the cluster's.")
]


class Jobs(NamedTuple):
    """How many jobs are asked of a partition, and what each may take."""

    partition: str
    number: int
    each: SlurmSettings


def allowed(study: Study, partition: str | None, asked: Mapping[str, int | None]) -> SlurmSettings:
    """What a job may take: the study's [slurm], but for what the command line asks."""
    from pydantic import ValidationError

    from htpbench.outside.models import faults
    from htpbench.study.settings import SlurmSettings

    named = {field: value for field, value in asked.items() if value is not None}
    if named and partition is None:
        raise BenchError(f"{', '.join(map(option, named))}: expected with --slurm PARTITION")
    try:
        return SlurmSettings.model_validate(study.slurm.model_dump() | named)
    except ValidationError as error:
        said = faults(error, lambda item: f"{option(item['loc'][0])}: {item['msg']}")
        raise BenchError(said) from error


def option(field: str) -> str:
    """How the command line calls a field of [slurm]."""
    return f"--slurm-{field.removesuffix('_gb')}"


def distributed(
    command: list[str], jobs: Jobs, folder: Path, tick: Tick, storage: str | None
) -> None:
    """Have jobs measure what a command says, on machines that may be unlike this one."""
    prepare(storage)
    with handed_on(storage):
        submit(command, jobs, folder, tick)


def submit(
    command: list[str], jobs: Jobs, folder: Path, tick: Tick, cluster: str = "slurm"
) -> None:
    """Run jobs of a command and wait for them; their logs are in `folder`.

    `cluster="local"` runs them here, by submitit's own executor. BenchError without submitit,
    without Slurm, and for a job that failed.
    """
    try:
        import submitit
        from submitit.core.utils import FailedJobError
    except ImportError:
        raise BenchError("--slurm needs submitit: pip install 'htpbench[slurm]'") from None
    python = f"{shlex.quote(sys.executable)} -P"  # where jobs do not get the environment
    try:
        executor = submitit.AutoExecutor(folder, cluster=cluster, slurm_python=python)
    except RuntimeError as error:
        raise BenchError(f"--slurm {jobs.partition}: {error}; is sbatch on the PATH?") from error
    executor.update_parameters(
        name="htpbench",
        timeout_min=jobs.each.minutes,
        gpus_per_node=jobs.each.gpus or None,
        cpus_per_task=jobs.each.cpus,
        mem_gb=jobs.each.memory_gb,
        slurm_partition=jobs.partition,
    )
    task = submitit.helpers.CommandFunction(command, verbose=False)
    running = []
    try:
        for _ in range(jobs.number):
            running.append(executor.submit(task))
        while not all(job.done() for job in running):
            done = sum(job.done() for job in running)
            tick(done, jobs.number, f"{jobs.number} jobs in {jobs.partition}")
            time.sleep(1)
    except BaseException as error:
        for job in running:
            job.cancel()
        if isinstance(error, FailedJobError):  # what sbatch said
            raise BenchError(f"--slurm {jobs.partition}: {error}") from error
        raise
    failed = [job for job in running if job.exception() is not None]
    if failed:
        raise BenchError(
            f"job {failed[0].job_id} failed; its logs are in {folder}. Where it ran out of time, "
            "the same command goes on; --slurm-minutes gives it more"
        )

"""Verbs that measure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from htpbench.cli.cluster import (
    Cpus,
    Gpus,
    Jobs,
    Memory,
    Minutes,
    Partition,
    allowed,
    distributed,
)
from htpbench.cli.data import Data, Skeleton, SkipBad, named
from htpbench.cli.devices import Devices, OneDevice, Workers, placed
from htpbench.cli.shared import (
    OWN_REPORTS,
    Combinations,
    Device,
    Format,
    Hypotheses,
    Iterations,
    Pipeline,
    Protocol,
    Reports,
    RowsFolder,
    Rule,
    StudyName,
    Weights,
    app,
    chosen,
    err,
    finished,
    natural,
    opened,
    out,
    reported,
    reread,
    warn,
)
from htpbench.cli.timing import (
    Batch,
    EngineName,
    Graph,
    Precision,
    Retry,
    Threads,
    WaitQuiet,
    clock,
    quiet,
    running,
    threaded,
    unheeded,
)
from htpbench.cli.workers import STORAGE
from htpbench.errors import BenchError

if TYPE_CHECKING:
    from htpbench.bench.runner import Runner

LONGEST_S = 1e7  # of a measurement: what timers of systems take


@app.command(sort_key=3)
def cost(
    combinations: Combinations | None = None,
    *,
    study: StudyName = None,
    format: Format = "table",
    results: RowsFolder | None = None,
) -> None:
    """Count parameters and operations; with --study the rows are kept under --results."""
    from htpbench.bench.costs import costs
    from htpbench.bench.runner import Runner
    from htpbench.measuring.context import Context
    from htpbench.report.cost import render
    from htpbench.study.loading import load

    runner = None
    if study:
        costs_alone = load(study).model_copy(update={"meters": ["cost"]})
        runner = Runner(Context(costs_alone), results or Path("results"))
    elif results:
        raise BenchError("--results keeps the rows of a --study; without one nothing is kept")
    with err.status("counting") as status:
        rows, left_out = costs(chosen(combinations, study), runner, status.update)
    for name, why in left_out.items():
        warn(f"left out: {name}: {why}")
    if not rows:
        sys.exit(1)
    text = render(rows, format)
    out.print(text) if format == "table" else print(text)


@app.command(sort_key=4)
def run(
    combinations: Combinations,
    *,
    meter: Annotated[
        list[str] | None, Parameter(help="Of `htpbench ls`. Default: cost and time.")
    ] = None,
    weights: Weights = None,
    data: Data = None,
    skip_bad: SkipBad = False,
    skeleton: Skeleton = None,
    pipeline: Pipeline = None,
    protocol: Protocol = None,
    results: RowsFolder = Path("results"),
    hypotheses: Hypotheses = 5,
    iterations: Iterations = 5,
    rule: Rule = "p-agg",
    batch: Batch = None,
    threads: Threads = None,
    processes: Annotated[
        int, Parameter(help="In which time is measured; 1: a quick look, 5: with intervals.")
    ] = 1,
    graph: Graph = False,
    engine: EngineName = None,
    precision: Precision = None,
    retry: Retry = False,
    wait_quiet: WaitQuiet = None,
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Measure some combinations and print their table; rows go to --results."""
    from htpbench.bench.runner import Runner
    from htpbench.bench.runner import run as measure
    from htpbench.measuring.context import Context
    from htpbench.outside.progress import bar
    from htpbench.records.results import Results
    from htpbench.report.actions import action_table
    from htpbench.report.console import plain_lines, sweep_lines
    from htpbench.report.tables import sweep_table
    from htpbench.report.throughput import at_size, throughput_table
    from htpbench.study.loading import by_hand

    parsed, data = chosen(combinations, None), named(data, skip_bad, skeleton)
    sampling = {"hypotheses": hypotheses, "iterations": iterations, "rule": rule}
    meters = list(meter or ("cost", "time"))
    timing = clock(batch, threads, graph, [device], processes=processes)
    how = {"protocol": protocol, "pipeline": pipeline, "weights": weights}
    how |= running(engine, precision)
    study = by_hand(parsed, meters, data, sampling, timing, **how)
    threaded(study)
    if line := unheeded(study):
        warn(line)
    context, quiet_s = Context(study, device, natural(seed)), quiet(wait_quiet)
    runner = opened(Runner(context, results, retry=retry, quiet_s=quiet_s), data, weights)
    with bar(err) as tick:
        rows = measure(runner, parsed, tick)
    if not rows:
        raise BenchError(
            "nothing to measure: the meter sampling is for diffusion lifters, the meter selection "
            "for pruned combinations"
        )
    found = Results(rows)
    out.print(sweep_lines(sweep_table(at_size(study, found)), asked=meters))
    for more in (action_table(found), throughput_table(found)):
        if not more.empty:
            out.print(plain_lines(more))
    if processes == 1 and {"time", "sampling"} & set(meters):
        warn("times are a quick look, of one process; intervals and verdicts take --processes 5")
    finished(study, rows)


@app.command(sort_key=5)
def sweep(
    study: Annotated[str, Parameter(help="A shipped study or a .toml file.")] = "demo",
    *,
    data: Data = None,
    skip_bad: SkipBad = False,
    skeleton: Skeleton = None,
    weights: Weights = None,
    pipeline: Pipeline = None,
    protocol: Protocol = None,
    results: RowsFolder = Path("results"),
    runs: Annotated[Path, Parameter(help="Folder of networks that a study trains.")] = Path("runs"),
    reports: Reports = OWN_REPORTS,
    seed: int = 0,
    device: OneDevice = None,
    devices: Devices = None,
    workers: Workers = None,
    timeout: Annotated[
        float | None, Parameter(help="Seconds for one meter of one combination. Default: any.")
    ] = None,
    batch: Batch = None,
    threads: Threads = None,
    graph: Graph = False,
    engine: EngineName = None,
    precision: Precision = None,
    retry: Retry = False,
    wait_quiet: WaitQuiet = None,
    storage: Annotated[
        str | None,
        Parameter(
            env_var=STORAGE,
            help="postgresql://... for the search's trials. Default: a journal beside the rows.",
        ),
    ] = None,
    slurm: Partition = None,
    slurm_minutes: Minutes = None,
    slurm_gpus: Gpus = None,
    slurm_cpus: Cpus = None,
    slurm_memory: Memory = None,
    as_worker: Annotated[bool, Parameter(show=False, negative="")] = False,
) -> None:
    """Measure a study, print its front, write its table and figure. The same command resumes.

    Started again beside a running one it joins in: nothing is measured twice.
    """
    from htpbench.cli.duration import announced
    from htpbench.cli.workers import measured, printed, remember, same_command
    from htpbench.outside.progress import bar
    from htpbench.report.current import current
    from htpbench.study.loading import load

    if workers is not None and workers < 1:
        raise BenchError("--workers: expected more than 0")
    if timeout is not None and not 0 < timeout <= LONGEST_S:
        raise BenchError(f"--timeout: expected seconds, more than 0, at most {LONGEST_S:.0f}")
    if slurm is not None and devices is not None:
        raise BenchError("--devices goes without --slurm: a job has its own, see --slurm-gpus")
    as_written, data = load(study), named(data, skip_bad, skeleton)
    asked = {"minutes": slurm_minutes, "gpus": slurm_gpus, "cpus": slurm_cpus}
    each = allowed(as_written, slurm, asked | {"memory_gb": slurm_memory})
    places = placed(device, devices, workers)
    timing = clock(batch, threads, graph or as_written.timing.graph, places)
    run = running(engine, precision)
    chosen_study = as_written.with_overrides(data, weights, pipeline, timing, protocol, **run)
    quiet_s = quiet(wait_quiet)
    threaded(chosen_study)

    def runner() -> Runner:
        from htpbench.bench.runner import Runner
        from htpbench.measuring.context import Context

        context = Context(chosen_study, places[0], natural(seed))
        return opened(Runner(context, results, timeout, retry, quiet_s), data, weights)

    if as_worker:
        mine = runner()
        rows = measured(mine, runs, storage, printed)
        remember(mine, as_written, rows, reread(results))
        return
    if slurm is not None:
        jobs, logs = Jobs(slurm, len(places), each), results / "slurm" / chosen_study.name
        with bar(err) as tick:
            distributed(same_command(places[0]), jobs, logs, tick, storage)
        everything = reread(results)
        rows = current(chosen_study, everything)
    else:
        mine = runner()
        if line := unheeded(chosen_study):
            warn(line)
        err.print(announced(mine), highlight=False, markup=False, soft_wrap=True)
        with bar(err) as tick:
            rows = measured(mine, runs, storage, tick, places[1:])
        everything = remember(mine, as_written, rows, reread(results))
    reported(as_written, everything, reports)
    finished(chosen_study, rows)

"""Verbs that measure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from htpbench.cli.shared import (
    Combinations,
    Data,
    Device,
    Format,
    Hypotheses,
    Iterations,
    Meter,
    Pipeline,
    Reports,
    Results,
    Rule,
    StudyName,
    Weights,
    app,
    chosen,
    err,
    natural,
    out,
    reread,
)
from htpbench.errors import BenchError

if TYPE_CHECKING:
    from htpbench.run import Bench


@app.command(sort_key=3)
def cost(
    combinations: Combinations | None = None,
    *,
    study: StudyName = None,
    format: Format = "table",
    results: Results = Path("results"),
) -> None:
    """Count parameters and operations; with --study the rows are kept under --results."""
    from htpbench.meters import cost as meter
    from htpbench.report.cost import render
    from htpbench.run import Bench, count
    from htpbench.study import load

    bench = None
    if study:
        bench = Bench(load(study).model_copy(update={"meters": ["cost"]}), results)
    with err.status("counting") as status:
        rows, left_out = count(chosen(combinations, study), bench, status.update)
    if left_out:
        err.print(f"not built, left out: {', '.join(left_out)}", highlight=False)
    text = render(rows, [name.partition(".")[2] for name in meter.METRICS], format)
    out.print(text) if format == "table" else print(text)


@app.command(sort_key=4)
def run(
    combinations: Combinations,
    *,
    meter: Annotated[list[Meter] | None, Parameter(help="Default: cost and time.")] = None,
    weights: Weights = None,
    data: Data = None,
    pipeline: Pipeline = None,
    results: Results = Path("results"),
    hypotheses: Hypotheses = 5,
    iterations: Iterations = 5,
    rule: Rule = "p-agg",
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Measure some combinations and print their table; rows go to --results."""
    from htpbench.report.console import sweep_lines
    from htpbench.report.tables import sweep_table
    from htpbench.run import Bench
    from htpbench.run import run as measure
    from htpbench.study import by_hand

    parsed = chosen(combinations, None)
    sampling = {"hypotheses": hypotheses, "iterations": iterations, "rule": rule}
    meters = list(meter or ("cost", "time"))
    study = by_hand(parsed, meters, data, sampling, pipeline=pipeline, weights=weights)
    with err.status("measuring") as status:
        rows = measure(Bench(study, results, device, natural(seed)), parsed, status.update)
    if not rows:
        raise BenchError(
            "nothing to measure: the meter sampling is for diffusion lifters, the meter selection "
            "for pruned combinations"
        )
    out.print(sweep_lines(sweep_table(rows)))
    if all(row.status != "ok" for row in rows):
        sys.exit(1)


@app.command(sort_key=5)
def sweep(
    study: Annotated[str, Parameter(help="A shipped study or a .toml file.")] = "demo",
    *,
    data: Data = None,
    weights: Weights = None,
    pipeline: Pipeline = None,
    results: Results = Path("results"),
    runs: Annotated[Path, Parameter(help="Folder of networks that a study trains.")] = Path("runs"),
    reports: Reports = Path("reports"),
    seed: int = 0,
    device: Device = "cpu",
    workers: Annotated[int, Parameter(help="Processes that share the work.")] = 1,
    timeout: Annotated[
        float | None, Parameter(help="Seconds for one meter of one combination. Default: any.")
    ] = None,
    retry: Annotated[
        bool, Parameter(negative="", help="Measure again what failed three times.")
    ] = False,
    storage: Annotated[
        str | None,
        Parameter(
            env_var="HTPBENCH_STORAGE",
            help="postgresql://... for the search's trials. Default: a journal beside the rows.",
        ),
    ] = None,
    slurm: Annotated[
        str | None, Parameter(help="Run the workers as jobs in this partition of a cluster.")
    ] = None,
    as_worker: Annotated[bool, Parameter(show=False, negative="")] = False,
) -> None:
    """Measure a study, print its front, write its table and figure. The same command resumes.

    Started again beside a running one it joins in: nothing is measured twice.
    """
    from htpbench.progress import bar
    from htpbench.report.build import measured_report, report_study
    from htpbench.study import load
    from htpbench.workers import distributed, measured, printed

    chosen_study = load(study).with_overrides(data, weights, pipeline)
    if workers < 1 or (timeout is not None and timeout <= 0):
        raise BenchError("--workers and --timeout: expected more than 0")

    def bench() -> Bench:
        from htpbench.run import Bench

        return Bench(chosen_study, results, device, natural(seed), timeout, retry)

    if as_worker:
        measured(bench(), runs, storage, printed)
        return
    with bar(err) as tick:
        if slurm is not None:
            distributed(chosen_study, results, storage, workers, slurm, tick)
            reread(results)
            tables, files = report_study(chosen_study, results, reports)
        else:
            rows = measured(bench(), runs, storage, tick, workers)
            _, known = reread(results)
            folder = reports / chosen_study.name
            tables, files = measured_report(chosen_study, rows, folder, known)
    for table in tables:
        out.print(table)
    for file in files:
        out.print(f"written: {file}", highlight=False, markup=False, soft_wrap=True)

"""The command line: verbs in the order of work; every body imports what it needs when called."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console
from rich.markup import escape

from htpbench import __version__
from htpbench.errors import BenchError

app = App(
    name="htpbench",
    version=__version__,
    help="Measure any backbone x pruner x recoverer x (r, b) of video pose transformers.",
    sort_key=None,
    suppress_keyboard_interrupt=False,  # `main` says that the same command resumes
)
app.meta.suppress_keyboard_interrupt = False
WIDTH = None if sys.stdout.isatty() else 240  # a pipe has no width; rich would assume 80
out, err = Console(width=WIDTH), Console(stderr=True)

Combinations = Annotated[
    list[str], Parameter(help="mixste-243+tps:121@0,81@3+tri, ...", negative="")
]
StudyName = Annotated[str | None, Parameter(help="A shipped study (htpbench ls) or a .toml file.")]
Results = Annotated[Path, Parameter(help="Folder of the rows.")]
Reports = Annotated[Path, Parameter(help="Folder of tables and figures.")]
Device = Annotated[str, Parameter(help="cpu, cuda, cuda:1, ...")]
Data = Annotated[
    str | None, Parameter(help='"synthetic", the path of an .npz of motion, or "bvh:PATH".')
]
Weights = Annotated[
    str | None, Parameter(help='Shipped weights, a .safetensors file, or "random".')
]
Pipeline = Annotated[
    Literal["seq2seq", "seq2frame"] | None, Parameter(help="Default: what the combination says.")
]
Format = Literal["table", "csv", "json", "markdown", "latex"]
Meter = Literal["cost", "time", "accuracy", "selection"]


@app.command(sort_key=1)
def ls() -> None:
    """List backbones, pruners, recoverers, studies and weights."""
    from htpbench.listing import listing

    for table in listing():
        out.print(table)


@app.command(sort_key=2)
def plan(combinations: Combinations | None = None, *, study: StudyName = None) -> None:
    """Say what combinations mean, and whether they can be run, without running them."""
    from htpbench.listing import plan_table

    out.print(plan_table(chosen(combinations, study)))


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
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Measure some combinations and print their table; rows go to --results."""
    from htpbench.report.console import sweep_lines
    from htpbench.report.tables import sweep_table
    from htpbench.run import Bench
    from htpbench.run import run as measure
    from htpbench.study import EvaluationSettings, Study

    parsed = chosen(combinations, None)
    settings = EvaluationSettings(data=data) if data else EvaluationSettings()
    study = Study(
        name="run",
        title="Measured by hand",
        meters=list(meter or ("cost", "time")),
        combinations=[str(combination) for combination in parsed],
        pipeline=pipeline,
        weights=weights,
        evaluation=settings,
    )
    with err.status("measuring") as status:
        rows = measure(Bench(study, results, device, natural(seed)), parsed, status.update)
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
) -> None:
    """Measure a study, print its front, write its table and figure. The same command resumes."""
    from htpbench.progress import bar
    from htpbench.report.build import measured_report
    from htpbench.run import Bench
    from htpbench.study import load

    chosen_study = load(study).with_overrides(data, weights, pipeline)
    bench = Bench(chosen_study, results, device, natural(seed))
    with bar(err) as tick:
        if chosen_study.training:
            from htpbench.lineage import sweep as train_and_measure

            rows = train_and_measure(bench, runs / chosen_study.name, tick)
        else:
            from htpbench.sweep import sweep as search

            rows = search(bench, tick)
    tables, files = measured_report(chosen_study, rows, reports / chosen_study.name)
    for table in tables:
        out.print(table)
    for file in files:
        out.print(f"written: {file}", highlight=False, soft_wrap=True)


@app.command(sort_key=6)
def train(
    combination: Annotated[str, Parameter(help="What to train, for example mixste.tiny-81.")],
    *,
    data: Annotated[list[str], Parameter(help="As in sweep; repeat to mix.")],
    out: Annotated[Path, Parameter(help="Folder of the checkpoint.")] = Path("runs/train"),
    steps: Annotated[int | None, Parameter(help="Default: what the recipe says.")] = None,
    epochs: Annotated[int | None, Parameter(help="Instead of --steps.")] = None,
    batch: Annotated[int | None, Parameter(help="Windows a step; default: the recipe's.")] = None,
    rate: Annotated[float | None, Parameter(help="Peak; default: the recipe's.")] = None,
    precision: Annotated[
        Literal["float32", "bfloat16"] | None,
        Parameter(help="Of the forward pass; default: bfloat16 on CUDA that has it, else float32."),
    ] = None,
    any_schedule: Annotated[bool, Parameter(negative="")] = False,
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Train a combination after its recipe, or with --any-schedule one network for all. Resumes."""
    from htpbench.history import ends
    from htpbench.progress import bar
    from htpbench.recipes import Recipe
    from htpbench.setting import check_device
    from htpbench.train import train as learn
    from htpbench.train import usual_precision

    check_device(device)
    recipe = Recipe.of(
        combination,
        tuple(data),
        steps=steps,
        epochs=epochs,
        batch=batch,
        rate=rate,
        precision=precision or usual_precision(device),
        any_schedule=any_schedule,
        seed=natural(seed),
    )
    with bar(err) as tick:
        path = learn(recipe, out, device, lambda i, n, loss: tick(i, n, f"loss {loss:.4f}"))
    err.print(ends(path), highlight=False, soft_wrap=True)
    err.print(f"written: {path}", highlight=False, soft_wrap=True)


@app.command(sort_key=7)
def report(
    study: Annotated[str, Parameter(help="A shipped study or a .toml file.")],
    *,
    results: Results = Path("results"),
    reports: Reports = Path("reports"),
) -> None:
    """Rebuild a study's table and figure from its rows alone."""
    from htpbench.report.build import report_study
    from htpbench.study import load

    tables, files = report_study(load(study), results, reports)
    for table in tables:
        out.print(table)
    for file in files:
        out.print(f"written: {file}", highlight=False, soft_wrap=True)


@app.command(sort_key=8)
def check(
    *,
    against: Annotated[
        Path | None, Parameter(help="Pinned rows. Default: baselines/gate.jsonl.")
    ] = None,
    pin: Annotated[bool, Parameter(negative="", help="Write that file instead.")] = False,
    fail: Annotated[
        list[str] | None,
        Parameter(negative="", help="Another rule: METRIC:+NUMBER, accuracy.mpjve:+2%, ..."),
    ] = None,
) -> None:
    """Measure the study "gate" afresh; fail where cost or accuracy fell behind the pinned rows.

    Exit codes: 0 as pinned, 1 a regression, 2 wrong usage, 3 not measured, 4 an unreadable file.
    """
    from htpbench import check as gate
    from htpbench import pinned
    from htpbench.study import load

    path = against or pinned.pinned_file()
    if pin and fail:
        raise BenchError("--pin judges nothing; leave --fail out")
    with err.status("measuring") as status:
        if pin:
            pinned.write(path, gate.measure(load("gate"), status.update))
            code, said = 0, [f"pinned: {path}"]
        else:
            code, said = gate.check(path, fail or [], status.update)
    for each in said:
        out.print(each, highlight=False, markup=False)
    if code:
        sys.exit(code)


@app.command(sort_key=9)
def doctor(*, results: Results = Path("results")) -> None:
    """Check this installation: versions, devices, shipped files, a writable results folder."""
    from htpbench.doctor import examine

    table, healthy = examine(results)
    out.print(table)
    if not healthy:
        sys.exit(2)


def chosen(combinations: list[str] | None, study: str | None) -> list:
    """The combinations named one by one and those of a study; BenchError where there are none."""
    from htpbench.combination import parse
    from htpbench.study import load

    parsed = [parse(text) for text in combinations or []]
    parsed += load(study).parsed() if study else []
    if not parsed:
        raise BenchError("nothing to do: name a combination, or a study with --study")
    return list(dict.fromkeys(parsed))


def natural(seed: int) -> int:
    """A seed that numpy accepts."""
    if not 0 <= seed < 2**32:
        raise BenchError(f"--seed {seed}: expected 0 or more, at most {2**32 - 1}")
    return seed


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    import_: Annotated[
        list[Path] | None,
        Parameter(
            name="--import", negative="", help="A Python file that registers systems of your own."
        ),
    ] = None,
) -> None:
    """Take --import before the verb's own arguments."""
    if import_:
        from htpbench.registry import import_file

        for path in import_:
            import_file(path)
    app(tokens, exit_on_error=False, print_error=False)


def main() -> None:
    """Entry point: usage and bad input exit with 2, Ctrl-C with 130, bugs with a traceback."""
    try:
        app.meta(sys.argv[1:], exit_on_error=False, print_error=False)
    except (BenchError, CycloptsError) as error:
        said = escape(str(error).strip())  # grammar and users' text have brackets
        err.print(f"[bold red]error:[/] {said}", highlight=False, soft_wrap=True)
        sys.exit(getattr(error, "exit_code", 2))  # the gate's errors have codes of their own
    except KeyboardInterrupt:
        err.print("stopped; the same command resumes", highlight=False)
        sys.exit(130)

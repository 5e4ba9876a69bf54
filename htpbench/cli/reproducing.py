"""The verb that sets ours beside every number that a paper prints."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from htpbench.cli.data import Data, Skeleton, SkipBad, named
from htpbench.cli.shared import (
    OWN_REPORTS,
    Device,
    Reports,
    RowsFolder,
    app,
    err,
    natural,
    opened,
    out,
    reread,
    warn,
)
from htpbench.cli.timing import Retry, Threads, WaitQuiet, clock, quiet, threaded
from htpbench.errors import BenchError, unknown

if TYPE_CHECKING:
    from htpbench.bench.reproduction import Part
    from htpbench.bench.runner import Runner
    from htpbench.study.study import Study
    from htpbench.systems.combination import Combination

ALL = "all"


@dataclass
class Asked:
    """What the command line says of how to measure."""

    tables: list[Study]
    kinds: list[str]
    data: list[str] | None
    device: str
    results: Path
    runs: Path
    retry: bool
    quiet_s: float
    seed: int
    weights: dict[str, str] = field(default_factory=dict)  # combination -> its file
    failed: bool = False  # nothing that was asked for was measured

    def parts(self) -> list[Part]:
        """What is to be measured, cheapest first."""
        from htpbench.bench.reproduction import parts

        return [*parts(self.tables, self.kinds, self.weights)]

    def runner(self) -> Runner:
        """Who measures; data is opened once for all parts."""
        from htpbench.bench.runner import Runner
        from htpbench.measuring.context import Context

        context = Context(self.tables[0], self.device, self.seed)
        runner = Runner(context, self.results, retry=self.retry, quiet_s=self.quiet_s)
        return opened(runner, self.data, None)


@app.command(sort_key=7.5)
def reproduce(
    tables: Annotated[
        list[str] | None, Parameter(help="table2 ... table10; default: all.", negative="")
    ] = None,
    *,
    status: Annotated[
        bool, Parameter(negative="", help="Only say which printed numbers have one of ours.")
    ] = False,
    only: Annotated[
        str | None, Parameter(help="cost, memory, accuracy, time or training, as time,memory.")
    ] = None,
    data: Data = None,
    skip_bad: SkipBad = False,
    skeleton: Skeleton = None,
    weights: Annotated[Path | None, Parameter(help="Folder of converted checkpoints.")] = None,
    train: Annotated[
        bool, Parameter(negative="", help="Train what no weights serve, by the recipes.")
    ] = False,
    minutes: Annotated[
        float | None, Parameter(help="Stop after so many; the same command goes on.")
    ] = None,
    format: Literal["table", "csv", "json"] = "table",
    results: RowsFolder = Path("results"),
    runs: Annotated[Path, Parameter(help="Folder of networks that --train trains.")] = Path("runs"),
    reports: Reports = OWN_REPORTS,
    threads: Threads = None,
    retry: Retry = False,
    wait_quiet: WaitQuiet = None,
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Set ours beside every number of the H2OT paper's tables, cheapest first. Resumes."""
    if minutes is not None and not 0 < minutes <= 10**6:
        raise BenchError(f"--minutes {minutes:g}: expected a number above 0")
    if data is None and (weights is not None or train):
        raise BenchError("--weights and --train are for accuracy: name --data as well")
    data = named(data, skip_bad, skeleton)
    asked = Asked(
        tables=chosen_tables(tables or [ALL], data, clock(None, threads, False, [device])),
        kinds=chosen_kinds(only),
        data=data,
        device=device,
        results=results,
        runs=runs / "reproduce",
        retry=retry,
        quiet_s=quiet(wait_quiet),
        seed=natural(seed),
    )
    if not status:
        threaded(asked.tables[0])
        asked.weights = found_weights(asked, weights)
        with limited(minutes):
            if train:
                train_missing(asked)
            measure(asked)
        write(asked, reports)
    tell(asked, format)
    if asked.failed:
        sys.exit(1)


def chosen_tables(names: Sequence[str], data: list[str] | None, timing: dict) -> list[Study]:
    """The studies of some published tables, on the data that was named."""
    from htpbench.report.published import tables
    from htpbench.study.loading import load

    known = [f"table{number}" for number in tables()]
    if wrong := [name for name in names if name not in (*known, ALL)]:
        raise unknown("table", wrong[0], [*known, ALL])
    wanted = known if ALL in names else [name for name in known if name in names]
    return [load(name).with_overrides(data, None, timing=timing) for name in wanted]


def chosen_kinds(only: str | None) -> list[str]:
    """The kinds of numbers that --only names."""
    from htpbench.bench.reproduction import KINDS

    asked = list(KINDS) if only is None else only.split(",")
    if wrong := [kind for kind in asked if kind not in KINDS]:
        raise unknown("kind of number", wrong[0], list(KINDS))
    return asked


def found_weights(asked: Asked, folder: Path | None) -> dict[str, str]:
    """Combination -> its file, of a folder and of what was trained before; says what is missing."""
    from htpbench.bench.reproduction import unserved
    from htpbench.bench.serving import serving

    if asked.data is None or "accuracy" not in asked.kinds:
        return {}
    folders = [folder] if folder else []
    folders += [asked.runs] if asked.runs.is_dir() else []
    wanted = dict.fromkeys(one for study in asked.tables for one in study.parsed())
    found, useless = serving(folders, wanted)
    for path, told in useless.items():
        warn(f"{path} serves no row here: it is of {told}")
    for one in unserved(asked.tables, found):
        warn(f"no weights of {one}: {remedy(one)}")
    return found


def remedy(combination: Combination) -> str:
    """Where the weights of a combination come from."""
    from htpbench.systems.registry import BACKBONES, PRUNERS

    pruner = combination.pruner
    card = PRUNERS.card(pruner.name) if pruner else BACKBONES.card(combination.backbone)
    if card.source is None:
        return "no checkpoint of it is known; --train trains it"
    convert = f"htpbench weights convert FILE --as {combination} --out FOLDER/NAME.safetensors"
    return f"a checkpoint of {card.source}, brought in by `{convert}`, or --train"


def train_missing(asked: Asked) -> None:
    """Train what no weights serve, one after the other, each after its recipe."""
    from htpbench.bench.reproduction import unserved
    from htpbench.learning.recipes import Recipe
    from htpbench.outside.progress import bar
    from htpbench.training.regimes import Network
    from htpbench.training.train import train, usual_precision

    data, precision = tuple(asked.data or ()), usual_precision(asked.device)
    for one in unserved(asked.tables, asked.weights):
        recipe = Recipe.of(str(one), data, seed=asked.seed, precision=precision)
        err.print(f"training {one}", highlight=False, markup=False, soft_wrap=True)
        with bar(err, small=True) as tick:
            folder = asked.runs / Network(recipe).folder
            path = train(
                recipe, folder, asked.device, lambda i, n, loss: tick(i, n, f"loss {loss:.4f}")
            )
        asked.weights[str(one)] = str(path)


def measure(asked: Asked) -> None:
    """Measure all parts, cheapest first, each told with about how long it takes."""
    asked.failed = True  # until something succeeds
    from htpbench.bench.runner import run, succeeded
    from htpbench.cli.duration import announced
    from htpbench.outside.progress import bar

    every, base = asked.parts(), asked.runner()
    for number, part in enumerate(every, 1):
        runner = base.under(**dict(part.study))
        said = f"{number} of {len(every)}: {part.kind} of {announced(runner)}"
        err.print(said, highlight=False, markup=False, soft_wrap=True)
        with runner.claims, runner.shared, bar(err) as tick:
            rows = run(runner, part.study.parsed(), tick)
        if succeeded(part.study, rows):
            asked.failed = False
        else:
            warn(f"{part}: nothing could be measured")
    if not every:
        warn("nothing to measure: accuracy needs --data and weights that serve a row")


@contextmanager
def limited(minutes: float | None) -> Iterator[None]:
    """End what runs inside after so many minutes, as Ctrl-C would; None: never."""
    if minutes is None:
        yield
        return
    over = []

    def stop(*_: object) -> None:
        over.append(True)
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    except KeyboardInterrupt:
        if not over:
            raise
        warn(f"stopped after {minutes:g} minutes; the same command goes on")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def write(asked: Asked, reports: Path) -> None:
    """Write the reports of the tables."""
    from htpbench.report.build import report_study

    everything = reread(asked.results)
    for study in asked.tables:
        report = report_study(study, everything, reports)
        told = f"{study.name}: {'; '.join(map(str, report.shown))}; written: {report.files[0]}"
        out.print(told, highlight=False, markup=False, soft_wrap=True)
        for problem in report.problems:
            warn(f"warning: {problem}")


def tell(asked: Asked, format: str) -> None:
    """Which printed numbers have one of ours, and what fills the holes."""
    import pandas

    from htpbench.report import status
    from htpbench.report.console import plain_lines

    found = status.cells(asked.tables, reread(asked.results))
    if format == "json":
        print(status.as_json(found))
    elif format == "csv":
        print(pandas.DataFrame(found).to_csv(index=False).rstrip("\n"))
    else:
        out.print(plain_lines(status.grid(found)))
        holes = status.holes(found)
        if not holes.empty:
            out.print(plain_lines(holes))
        out.print(status.summary(found), highlight=False, markup=False, soft_wrap=True)
    sys.stdout.flush()

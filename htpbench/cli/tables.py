"""What `reproduce` does: weights found or trained, parts measured, reports written, holes told."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from htpbench.cli.shared import err, opened, out, reread, warn

if TYPE_CHECKING:
    from htpbench.bench.reproduction import Part
    from htpbench.bench.runner import Runner
    from htpbench.records.row import Row
    from htpbench.study.study import Study
    from htpbench.systems.combination import Combination


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
    scaled: Combination | None = None  # the network that schedules are scaled to
    rows: list[Row] = field(default_factory=list)  # what it measured, or found measured
    failed: bool = False  # nothing that was asked for was measured

    def parts(self) -> list[Part]:
        """What is to be measured, cheapest first."""
        from htpbench.bench.reproduction import parts, scaled_parts
        from htpbench.network.weights import fitting

        if self.scaled:
            return [*scaled_parts(self.tables, self.scaled, fitting(self.scaled))]
        return [*parts(self.tables, self.kinds, self.weights)]

    def runner(self) -> Runner:
        """Who measures; data is opened once for all parts."""
        from htpbench.bench.runner import Runner
        from htpbench.measuring.context import Context

        context = Context(self.tables[0], self.device, self.seed)
        runner = Runner(context, self.results, retry=self.retry, quiet_s=self.quiet_s)
        return opened(runner, self.data, None)


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
        asked.rows += rows
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
    from htpbench.records.results import Results
    from htpbench.report.build import report_study
    from htpbench.report.scaled import write_scaled

    if asked.scaled:
        numbers = [study.table for study in asked.tables if study.table]
        for path in write_scaled(numbers, asked.scaled, Results(asked.rows), reports):
            out.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)
        return
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

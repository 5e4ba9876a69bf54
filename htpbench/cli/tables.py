"""What `reproduce` does: weights found or trained, parts measured, reports written, holes told."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from htpbench.cli.shared import err, opened, out, reread, warn
from htpbench.errors import BenchError, interruption

if TYPE_CHECKING:
    from htpbench.bench.reproduction import Part
    from htpbench.bench.runner import Runner
    from htpbench.records.results import Results
    from htpbench.records.row import Row
    from htpbench.study.study import Study
    from htpbench.systems.combination import Combination


@dataclass(frozen=True)
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
    scaled: Combination | None = None  # the network that schedules are scaled to

    def runner(self) -> Runner:
        """Who measures; data is opened once for all parts."""
        from htpbench.bench.runner import Runner
        from htpbench.measuring.context import Context

        context = Context(self.tables[0], self.device, self.seed)
        runner = Runner(context, self.results, retry=self.retry, quiet_s=self.quiet_s)
        return opened(runner, self.data, None)

    def scored_on(self, layout: str) -> list[Study]:
        """The tables whose errors are of data of a layout; any data but 3DHP is for the others."""
        from htpbench.report.quantities import OF_3DHP

        return [one for one in self.tables if (one.table == OF_3DHP) == (layout == "3dhp")]


@dataclass
class Done:
    """What became of it."""

    rows: list[Row] = field(default_factory=list)  # measured now, or found measured
    refused: list[BenchError] = field(default_factory=list)
    some: bool = False  # something that was asked for was measured
    stopped: bool = False  # by --minutes

    def end(self) -> None:
        """Exit with 1, or what was refused with 2, where nothing was measured."""
        if not self.some and not self.stopped:
            if self.refused:
                raise self.refused[0]
            sys.exit(1)


def measure(asked: Asked, folder: Path | None, train: bool, minutes: float | None) -> Done:
    """Train what is missing, where that is asked for; then all parts, cheapest first."""
    from htpbench.bench.reproduction import parts, scaled_parts
    from htpbench.cli.checkpoints import found_weights, train_missing
    from htpbench.network.weights import fitting

    done, base = Done(), asked.runner()
    with limited(minutes, done):
        if asked.scaled:
            every = [*scaled_parts(asked.tables, asked.scaled, fitting(asked.scaled))]
        else:
            weights: dict[str, str] = {}
            if asked.data is not None and "accuracy" in asked.kinds:
                tables = asked.scored_on(base.context.data.layout)
                weights = found_weights(tables, folder, asked.runs)
                if train:
                    train_missing(asked, tables, weights)
            every = [*parts(asked.tables, asked.kinds, weights)]
        if not every:
            warn("nothing to measure: the tables print none of it, or no weights serve a row")
        for number, part in enumerate(every, 1):
            err.print(f"{number} of {len(every)}: ", end="")
            measure_part(base.under(**dict(part.study)), part, done)
    return done


def measure_part(runner: Runner, part: Part, done: Done) -> None:
    """Measure one part, told with about how long it takes; what is refused leaves the others."""
    from htpbench.bench.runner import run, succeeded
    from htpbench.cli.duration import announced
    from htpbench.outside.progress import bar

    try:
        said = f"{part.kind} of {announced(runner)}"
        err.print(said, highlight=False, markup=False, soft_wrap=True)
        with runner.claims, runner.shared, bar(err) as tick:
            rows = run(runner, part.study.parsed(), tick)
    except BenchError as error:
        done.refused.append(error)
        warn(f"{part}: {error}")
        return
    done.rows += rows
    if succeeded(part.study, rows):
        done.some = True
    else:
        warn(f"{part}: nothing could be measured")


@contextmanager
def limited(minutes: float | None, done: Done) -> Iterator[None]:
    """End what runs inside after so many minutes, as Ctrl-C would; None: never."""
    if minutes is None:
        yield
        return

    def stop(*_: object) -> None:
        done.stopped = True
        asked = signal.getsignal(signal.SIGINT)  # training ends between two steps
        if not callable(asked):  # a shell's background job does not hear Ctrl-C
            raise KeyboardInterrupt
        asked(signal.SIGINT, None)

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 60 * minutes)
    try:
        yield
    except (KeyboardInterrupt, Exception) as error:
        if not done.stopped or interruption(error) is None:
            raise
        warn(f"stopped after {minutes:g} minutes; the same command goes on")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def seen(asked: Asked, done: Done) -> Results:
    """All results; of errors those of this run alone, where it measured any."""
    from htpbench.report.quantities import of_accuracy

    everything = reread(asked.results)
    now = {row.key for row in done.rows if of_accuracy(row.metric)}
    if not now:
        return everything
    return everything.only(
        row for row in everything if row.key in now or not of_accuracy(row.metric)
    )


def write(
    asked: Asked, everything: Results, reports: Path, say: Callable[[str], None]
) -> list[BenchError]:
    """Write the reports of the tables; returns what of them could not be written."""
    from htpbench.report.build import report_study

    refused = []
    for study in asked.tables:
        report = report_study(study, everything, reports)
        page = next(path for path in report.files if path.suffix == ".md")
        say(f"{study.name}: {'; '.join(map(str, report.shown))}; written: {page}")
        for problem in report.problems:
            warn(f"warning: {problem}")
        refused += report.refused
    return refused


def write_scaled(asked: Asked, done: Done, reports: Path) -> None:
    """Write what the scaled schedules cost."""
    from htpbench.records.results import Results
    from htpbench.report.scaled import write_scaled as write

    assert asked.scaled is not None
    numbers = [study.table for study in asked.tables if study.table]
    everything = reread(asked.results)
    for path in write(numbers, asked.scaled, Results(done.rows), everything, reports):
        out.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)


def tell(asked: Asked, everything: Results, format: str) -> None:
    """Which printed numbers have one of ours, and what fills the holes."""
    import pandas

    from htpbench.report import status
    from htpbench.report.console import plain_lines

    found = status.cells(asked.tables, everything, asked.kinds)
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

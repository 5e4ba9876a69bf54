"""What the verbs share: the application, its consoles, arguments, and what several of them do."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from htpbench import __version__
from htpbench.errors import BenchError
from htpbench.outside.printable import shown

if TYPE_CHECKING:
    from htpbench.bench.runner import Runner
    from htpbench.records.results import Results
    from htpbench.records.rows import Row
    from htpbench.report.report import Report
    from htpbench.study.study import Study

app = App(
    name="htpbench",
    version=__version__,
    help="Measure any backbone x pruner x recoverer x (r, b) of video pose transformers.",
    sort_key=None,
    suppress_keyboard_interrupt=False,  # `main` says that the same command resumes
)
app.meta.suppress_keyboard_interrupt = False
NAMED = 10  # lines of the results that could not be read
TERMINAL = sys.stdout is not None and sys.stdout.isatty()
WIDTH = None if TERMINAL else 240  # a pipe has no width; rich would assume 80


class Terminal(Console):
    """A console that shows control characters instead of obeying them, whoever wrote them."""

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """See rich; styles come later, so the only control characters here are a text's own."""
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else shown(text), style, control)


out, err = Terminal(width=WIDTH), Terminal(stderr=True)

Combinations = Annotated[
    list[str], Parameter(help="mixste-243+tps:121@0,81@3+tri, ...", negative="")
]
StudyName = Annotated[str | None, Parameter(help="A shipped study (htpbench ls) or a .toml file.")]
RowsFolder = Annotated[Path, Parameter(help="Folder of the rows.")]
Reports = Annotated[Path, Parameter(help="Folder of tables and figures.")]
OWN_REPORTS = Path("reports/local")  # git ignores it: `reports` itself holds what is committed
Device = Annotated[str, Parameter(help="cpu, cuda, cuda:1, ...")]
Weights = Annotated[
    str | None, Parameter(help='Shipped weights, a .safetensors file, or "random".')
]
Pipeline = Annotated[
    Literal["seq2seq", "seq2frame"] | None, Parameter(help="Default: what the combination says.")
]
Protocol = Annotated[
    str | None,
    Parameter(
        help="How accuracy is scored: once, mixste, hot, ... Default: the official one of the data."
    ),
]
Hypotheses = Annotated[int, Parameter(help="Of a diffusion lifter.")]
Iterations = Annotated[int, Parameter(help="Calls for each hypothesis.")]
Rule = Annotated[
    Literal["p-agg", "j-agg"], Parameter(help="What makes one pose of the hypotheses.")
]
Format = Literal["table", "csv", "json", "markdown", "latex"]


def chosen(combinations: list[str] | None, study: str | None) -> list:
    """The combinations named one by one and those of a study; BenchError where there are none."""
    from htpbench.study.loading import load
    from htpbench.systems.combination import parse

    listed = load(study).parsed() if study else []  # first: it may import what is named here
    parsed = [*map(parse, combinations or []), *listed]
    if study and not parsed:
        raise BenchError(
            f"{study} lists no combinations but searches for them: `htpbench sweep {study}`, or "
            f"`htpbench plan --study {study} --rank 10`"
        )
    if not parsed:
        raise BenchError("nothing to do: name a combination, or a study with --study")
    return list(dict.fromkeys(parsed))


def warn(text: str) -> None:
    """A line on stderr, whatever stands in it."""
    err.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


class Warnings(logging.Handler):
    """What the package logs (who is waited for, which worker was killed) goes to stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print it, above a progress bar where there is one."""
        warn(self.format(record))


logging.getLogger("htpbench").addHandler(Warnings())


def opened(runner: Runner, data: list[str] | None, weights: str | None) -> Runner:
    """The runner, once data and weights that were named can be read, whatever is measured."""
    if weights is not None:
        _ = runner.context.weights(runner.study.reference_combination())
    if data is not None:
        _ = runner.context.data
    if any(":" in name for name in runner.study.evaluation.sources):
        look(runner)
    return runner


def look(runner: Runner) -> None:
    """Say once what is doubtful of data that networks are to be measured on."""
    from htpbench.checking.first import first_doubts
    from htpbench.systems.registry import METERS

    if not any(METERS.load(name).weights for name in runner.study.meters):
        return
    for name, one in runner.context.sources.items():
        doubts = first_doubts(one, runner.study.evaluation.detections, runner.folder.parent)
        for doubt in doubts:
            warn(f"{name}: {doubt}")
        if doubts:
            warn(f"said once; `htpbench data check {name}` looks at all of it")


def finished(study: Study, rows: Iterable[Row]) -> None:
    """Exit with 1 where nothing that was asked for was measured."""
    from htpbench.bench.runner import succeeded

    if not succeeded(study, rows):
        sys.exit(1)


def reread(folder: Path) -> Results:
    """The rows as they are now; a line on stderr where some cannot be read."""
    from htpbench.records.results import Results

    results = Results.read(folder)
    if results.problems:
        warn(
            f"warning: lines of the results that could not be read: {len(results.problems)}; "
            f"the first: {'; '.join(results.problems[:NAMED])}"
        )
    return results


def reported(study: Study, results: Results, reports: Path) -> None:
    """Write a study's report from its rows, and show it."""
    from htpbench.report.build import report_study

    report = report_study(study, results, reports)
    for table in report.shown:
        out.print(table)
    written(report)
    if report.finding:
        out.print(f"finding: {report.finding}", highlight=False, markup=False, soft_wrap=True)
    if report.refused:
        raise report.refused[0]


def written(report: Report) -> None:
    """Name the files of a report, and what could not be drawn."""
    for file in report.files:
        out.print(f"written: {file}", highlight=False, markup=False, soft_wrap=True)
    for problem in report.problems:
        warn(f"warning: {problem}")


def natural(seed: int) -> int:
    """A seed that numpy accepts."""
    if not 0 <= seed < 2**32:
        raise BenchError(f"--seed {seed}: expected 0 or more, at most {2**32 - 1}")
    return seed

"""The verb that sets ours beside every number that a paper prints."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
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
    out,
    reread,
)
from htpbench.cli.timing import Retry, Threads, WaitQuiet, clock, quiet, threaded
from htpbench.errors import BenchError, unknown

if TYPE_CHECKING:
    from htpbench.study.study import Study
    from htpbench.systems.combination import Combination

ALL = "all"


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
    scaled: Annotated[
        str | None,
        Parameter(help="Score the schedules on this network, as mixste.tiny-81, its F and blocks."),
    ] = None,
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
    from htpbench.cli import tables as work

    check(status, only, data, weights, train, minutes, scaled, format)
    data = named(data, skip_bad, skeleton)
    asked = work.Asked(
        tables=chosen_tables(tables or [ALL], data, clock(None, threads, False, [device])),
        kinds=chosen_kinds(only),
        data=data,
        device=device,
        results=results,
        runs=runs / "reproduce" / digest([*(data or ()), str(seed)]),
        retry=retry,
        quiet_s=quiet(wait_quiet),
        seed=natural(seed),
        scaled=None if scaled is None else network(scaled),
    )
    if status:
        work.tell(asked, reread(results), format)
        return
    threaded(asked.tables[0])
    done = work.measure(asked, weights, train, minutes)
    if asked.scaled:
        work.write_scaled(asked, done, reports)
    else:
        everything = work.seen(asked, done)
        refused = work.write(asked, everything, reports, print_line(format))
        work.tell(asked, everything, format)
        if refused:
            raise refused[0]
    done.end()


def check(
    status: bool,
    only: str | None,
    data: list[str] | None,
    weights: Path | None,
    train: bool,
    minutes: float | None,
    scaled: str | None,
    format: str,
) -> None:
    """BenchError for options that do not go together."""
    if minutes is not None and not 0 < minutes <= 10**6:
        raise BenchError(f"--minutes {minutes:g}: expected a number above 0")
    of_accuracy = weights is not None or train
    if status and (data is not None or of_accuracy or minutes is not None or scaled is not None):
        raise BenchError(
            "--status measures nothing: leave out --data, --weights, --train, --minutes, --scaled"
        )
    if scaled is not None and (of_accuracy or only is not None or format != "table"):
        raise BenchError(
            "--scaled scores shipped weights: leave out --weights, --train, --only and --format"
        )
    if of_accuracy and (data is None or "accuracy" not in chosen_kinds(only)):
        raise BenchError(
            "--weights and --train are for accuracy: name --data as well, and accuracy in --only"
        )


def digest(texts: Iterable[str]) -> str:
    """A folder's name: of other data, or another seed, it is another."""
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:12]


def print_line(format: str) -> Callable[[str], None]:
    """Prints a line for people; elsewhere than a table that a program reads."""
    console = out if format == "table" else err
    return partial(console.print, highlight=False, markup=False, soft_wrap=True)


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
    from htpbench.report.quantities import KINDS

    asked = list(KINDS) if only is None else only.split(",")
    if wrong := [kind for kind in asked if kind not in KINDS]:
        raise unknown("kind of number", wrong[0], list(KINDS))
    return asked


def network(name: str) -> Combination:
    """What schedules are scaled to: a backbone alone."""
    from htpbench.systems.combination import parse

    parsed = parse(name)
    if parsed.pruner or parsed.recoverer:
        raise BenchError(f"--scaled {name}: expected a backbone alone, as {parsed.unpruned}")
    return parsed

"""One progress bar for long work; in a log, a line for each finished unit or silent minute."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from htpbench.outside.fitting import Ending

Tick = Callable[[int, int, str], None]  # units done, units in all, which one
LINES = 100  # of a log, where units are as small as steps or frames
PERIOD_S = 3600.0  # over which a pace is told: units may take minutes
SILENT_S = 60.0  # then a log says what is being done, though nothing more is finished


class Doing(ProgressColumn):
    """What is being done, as much of its end as there is room for."""

    def render(self, task: Task) -> Ending:
        """See rich."""
        return Ending(task.description)


class Left(TimeRemainingColumn):
    """About how long it takes yet, once that can be told."""

    def render(self, task: Task) -> Text:
        """See rich."""
        return Text(f"{super().render(task)} left" if task.time_remaining else "")


@contextmanager
def bar(console: Console, small: bool = False) -> Iterator[Tick]:
    """Yields `tick(done, total, text)`; `small` units are too many for a line each."""
    if not console.is_terminal:
        yield lines(console, small)
        return
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        Left(),
        Doing(),
    )
    with Progress(*columns, console=console, speed_estimate_period=PERIOD_S) as progress:
        task = progress.add_task("starting", total=None)

        def tick(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=text)

        yield tick


def lines(console: Console, small: bool) -> Tick:
    """A tick that prints a line whenever more is done than in the last, or that was long ago."""
    printed, spoke = 0, time.monotonic()

    def tick(done: int, total: int, text: str) -> None:
        nonlocal printed, spoke
        step = max(total // LINES, 1) if small else 1
        more = done // step > printed // step or done == total > printed
        now = time.monotonic()
        if more or now - spoke >= SILENT_S:
            printed, spoke = done, now
            said = f"{done}/{total} {text}"
            console.print(said, markup=False, highlight=False, soft_wrap=True)

    return tick

"""One progress bar for long work."""

from __future__ import annotations

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
)

from htpbench.fitting import Ending

Tick = Callable[[int, int, str], None]


class Doing(ProgressColumn):
    """What is being done, as much of its end as there is room for."""

    def render(self, task: Task) -> Ending:
        """See rich."""
        return Ending(task.description)


@contextmanager
def bar(console: Console) -> Iterator[Tick]:
    """Yields `tick(done, total, text)`."""
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        Doing(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=None)

        def tick(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=text)

        yield tick

"""One progress bar for long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Tick = Callable[[int, int, str], None]


@contextmanager
def bar(console: Console) -> Iterator[Tick]:
    """Yields `tick(done, total, text)`."""
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("starting", total=None)

        def tick(done: int, total: int, text: str) -> None:
            progress.update(task, completed=done, total=total, description=text)

        yield tick

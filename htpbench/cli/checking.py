"""The verb that doubts data."""

from __future__ import annotations

import sys
from typing import Annotated

from cyclopts import App, Parameter
from rich.markup import escape

from htpbench.cli.shared import app, err, out
from htpbench.errors import BenchError

data = App(name="data", help="Look at data before it is measured with.", sort_key=6.6)
app.command(data)


@data.command
def check(
    paths: Annotated[
        list[str],
        Parameter(
            name="PATH",
            negative="",
            help="A path, or what --data takes: SCHEME:PATH[,option=value].",
        ),
    ],
    /,
) -> None:
    """Say what is wrong with data, each fault with its number and what mends it.

    Exit code 0: sound; 1: doubtful; 2: it cannot be read. Of several paths the worst counts.
    """
    from htpbench.checking.judge import checked

    worst = 0
    for path in paths:
        before = f"{path}: " if len(paths) > 1 else ""
        try:
            verdicts = checked(path)
        except BenchError as fault:
            if len(paths) == 1:
                raise
            err.print(f"[bold red]error:[/] {escape(str(fault))}", highlight=False, soft_wrap=True)
            worst = 2
            continue
        for verdict in verdicts:
            out.print(f"{before}{verdict.text}", highlight=False, markup=False, soft_wrap=True)
        worst = max(worst, int(any(verdict.doubtful for verdict in verdicts)))
    if worst:
        sys.exit(worst)

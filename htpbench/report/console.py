"""A sweep's table for a terminal: the columns that people compare, the front marked."""

from __future__ import annotations

import pandas
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from htpbench.report.tables import COLUMNS, front, numbers

SHOWN = {
    "cost.flops": "FLOPs, all",
    "time.forward": "forward",
    "time.speedup": "speed-up",
    "time.prune_share": "pruning",
    "accuracy.mpjpe": "MPJPE",
    "accuracy.delta": "minus reference's",
}


def sweep_lines(table: pandas.DataFrame, objectives: list[str] | None = None) -> Table:
    """One line a combination; a star leads those that nothing beats in the first two objectives."""
    columns = {name: head for name, head in SHOWN.items() if not table[name].dropna().empty}
    heads = [f"{head} ({COLUMNS[name].unit})" for name, head in columns.items()]
    lines = Table(Column("combination", no_wrap=True), *heads, box=SIMPLE_HEAD)
    cells = [
        numbers(table, name, COLUMNS[name], name in ("accuracy.delta", "time.speedup"))
        for name in columns
    ]
    best = [False] * len(table)
    if objectives is not None and len(objectives) > 1 and set(objectives) <= set(table):
        best = front(table, *objectives[:2])
        lines.caption = "* on the front: nothing is better in " + " and ".join(objectives[:2])
    for index, (name, note) in enumerate(zip(table["combination"], table["note"], strict=True)):
        lines.add_row(f"{'* ' if best[index] else '  '}{name}", *(cell[index] for cell in cells))
        if note:
            lines.add_row(f"    {escape(note)}", style="dim")
    return lines


def plain_lines(table: pandas.DataFrame) -> Table:
    """A table of texts and numbers as it is."""
    lines = Table(*map(str, table.columns), box=SIMPLE_HEAD)
    for cells in table.itertuples(index=False):
        lines.add_row(*(escape(str(cell)) for cell in cells))
    return lines

"""A sweep's table for a terminal: the columns that people compare, the front marked."""

from __future__ import annotations

import pandas
from rich.box import SIMPLE_HEAD
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
    """One line a combination; those that nothing beats in both objectives carry a star."""
    columns = {name: head for name, head in SHOWN.items() if not table[name].dropna().empty}
    heads = [f"{head} ({COLUMNS[name].unit})" for name, head in columns.items()]
    lines = Table(
        *(Column(head, no_wrap=True) for head in ("combination", *heads)), box=SIMPLE_HEAD
    )
    cells = [numbers(table, name, COLUMNS[name], name == "accuracy.delta") for name in columns]
    if objectives is not None and all(name in table for name in objectives[:2]):
        lines.add_column("front")
        cells.append(["*" if best else "" for best in front(table, *objectives[:2])])
    for index, (name, note) in enumerate(zip(table["combination"], table["note"], strict=True)):
        lines.add_row(name, *(column[index] for column in cells))
        if note:
            lines.add_row(f"  {note}", style="dim")
    return lines

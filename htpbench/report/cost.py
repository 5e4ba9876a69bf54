"""Counted costs as a table, CSV, JSON, Markdown or LaTeX; conventions stand in the heads."""

from __future__ import annotations

import json
from typing import Any

import pandas
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from htpbench.outside.fitting import CUT, Fitting, short
from htpbench.report import tables
from htpbench.report.tables import COLUMNS

BRIEF = {  # heads where a terminal is narrow
    "params": "para-\nmeters",
    "flops_published": "FLOPs,\npapers'",
    "flops": "FLOPs,\nall",
    "macs_fvcore": "MACs,\nfvcore",
    "macs_ptflops": "MACs,\nptflops",
}


def render(rows: list[dict[str, Any]], names: list[str], format: str) -> Any:
    """`rows` hold a combination, plain numbers under `names`, and a note or None.

    JSON and CSV keep plain numbers; the others show millions and billions.
    """
    if format == "json":
        return json.dumps(rows, indent=1)
    if format == "csv":
        return pandas.DataFrame(rows).to_csv(index=False).rstrip("\n")
    columns = {name: COLUMNS[f"cost.{name}"] for name in names}
    heads = ["combination", *(f"{column.head} ({column.unit})" for column in columns.values())]
    lines = [
        [row["combination"], *(amount(row[name], columns[name]) for name in names)] for row in rows
    ]
    notes = [f"{row['combination']}: {row['note']}" for row in rows if row["note"]]
    if format == "table":
        cut, backbone = short(line[0] for line in lines)
        brief = [heads[0], *(f"{BRIEF[name]}\n({columns[name].unit})" for name in names)]
        briefly = [[name, *numbers] for name, (_, *numbers) in zip(cut, lines, strict=True)]
        said = [*notes, f"{CUT} {backbone}"] if backbone else notes
        return Fitting(on_terminal(heads, lines, notes), on_terminal(brief, briefly, said))
    frame = pandas.DataFrame(lines, columns=heads)
    if format == "latex":
        style = frame.style.hide(axis="index")
        style.format(escape="latex").format_index(escape="latex", axis=1)
        return style.to_latex(hrules=True, column_format="l" + "r" * len(columns)).rstrip("\n")
    return "\n\n".join([frame.to_markdown(index=False, disable_numparse=True), *notes])


def on_terminal(heads: list[str], lines: list[list[str]], notes: list[str]) -> Table:
    """One line a combination; numbers never break."""
    table = Table(
        Column(heads[0], overflow="fold"),
        *(Column(head, justify="right", no_wrap=True) for head in heads[1:]),
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        caption="\n".join(notes) or None,
        caption_justify="left",
    )
    for line in lines:
        table.add_row(*line)
    return table


def amount(value: float, column: tables.Column) -> str:
    """Two decimals as the papers print, four digits for what would vanish."""
    scaled = value / column.scale
    return f"{scaled:.2f}" if scaled >= 0.1 else f"{scaled:.4g}"

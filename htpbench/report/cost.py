"""Counted costs as a table, CSV, JSON, Markdown or LaTeX; conventions stand in the heads."""

from __future__ import annotations

import json
from typing import Any

import pandas
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Column, Table

from htpbench.outside.fitting import CUT, Fitting, short
from htpbench.systems import catalogue
from htpbench.systems.metric import Metric


def render(rows: list[dict[str, Any]], format: str) -> Any:
    """`rows` hold a combination, plain numbers under the names of cost, and a note or None.

    JSON and CSV keep plain numbers; the others show millions and billions.
    """
    if format == "json":
        return json.dumps(rows, indent=1)
    if format == "csv":
        return pandas.DataFrame(rows).to_csv(index=False).rstrip("\n")
    metrics = {one.name.partition(".")[2]: one for one in catalogue.meter("cost").metrics}
    heads = ["combination", *(metric.column for metric in metrics.values())]
    lines = [
        [row["combination"], *(amount(row[name], metric) for name, metric in metrics.items())]
        for row in rows
    ]
    notes = [f"{row['combination']}: {row['note']}" for row in rows if row["note"]]
    if format == "table":
        cut, backbone = short(line[0] for line in lines)
        brief = [heads[0], *(f"{one.brief}\n({one.read})" for one in metrics.values())]
        briefly = [[name, *numbers] for name, (_, *numbers) in zip(cut, lines, strict=True)]
        said = [*notes, f"{CUT} {backbone}"] if backbone else notes
        return Fitting(on_terminal(heads, lines, notes), on_terminal(brief, briefly, said))
    frame = pandas.DataFrame(lines, columns=heads)
    if format == "latex":
        style = frame.style.hide(axis="index")
        style.format(escape="latex").format_index(escape="latex", axis=1)
        return style.to_latex(hrules=True, column_format="l" + "r" * len(metrics)).rstrip("\n")
    return "\n\n".join([frame.to_markdown(index=False, disable_numparse=True), *notes])


def on_terminal(heads: list[str], lines: list[list[str]], notes: list[str]) -> Table:
    """One line a combination; numbers never break."""
    table = Table(
        Column(heads[0], overflow="fold"),
        *(Column(head, justify="right", no_wrap=True) for head in heads[1:]),
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        caption=escape("\n".join(notes)) or None,
        caption_justify="left",
    )
    for line in lines:
        table.add_row(*map(escape, line))
    return table


def amount(value: float, metric: Metric) -> str:
    """Two decimals as the papers print, four digits for what would vanish."""
    scaled = value / metric.scale
    return f"{scaled:.2f}" if scaled >= 0.1 else f"{scaled:.4g}"

"""A sweep's table for a terminal: the columns that people compare, the front marked."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pandas
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from htpbench.outside.fitting import CUT, Fitting, short
from htpbench.report.standing import Standing
from htpbench.report.tables import doubts, metrics_of, numbers
from htpbench.report.text import MARK
from htpbench.systems.metric import Metric

WORD = 16  # a longer word may break


def sweep_lines(
    table: pandas.DataFrame, standing: Standing | None = None, asked: Collection[str] = ()
) -> Fitting:
    """One line a combination, notes below; a star leads those on the front.

    Of a meter that was asked for by name and has nothing for a terminal, all is shown.
    A narrow terminal shows names without the backbone that they share, a narrower one no intervals;
    where that is not enough, names break.
    """
    standing = standing or Standing()
    best = [name in standing.best for name in table["combination"]]
    noted = table.loc[table["note"] != ""]
    remarks = [f"{a}: {b}" for a, b in zip(noted["combination"], noted["note"], strict=True)]
    remarks = [*filter(None, [doubts(table)]), *standing.remarks, *remarks]
    metrics = metrics_of(table)
    for_terminals = {metric.meter for metric in metrics if metric.terminal}
    also = set(asked) - for_terminals
    scored_by = table.attrs["protocols"]
    shown = [
        metric
        for metric in metrics
        if metric.terminal or metric.meter in also or scored_by & {*metric.official}
    ]
    measured = [metric for metric in shown if not table[metric.name].dropna().empty]
    fewer = [metric for metric in measured if metric.exact or metric.bounded]
    names, backbone = short(table["combination"])
    brief = table.assign(combination=names)
    noted = [*remarks, f"{CUT} {backbone}"] if backbone else remarks
    return Fitting(
        _lines(table, best, remarks, measured, True),
        *(
            _lines(brief, best, noted, *variant)
            for variant in ((measured, True), (measured, False), (fewer, False))
        ),
    )


def _lines(
    table: pandas.DataFrame,
    best: list[bool],
    remarks: list[str],
    metrics: list[Metric],
    bounds: bool,
) -> Table:
    """The columns of metrics, those beside the reference with their intervals where asked.

    Numbers never break.
    """
    lines = _empty(remarks)
    lines.add_column("")
    lines.add_column("combination", overflow="fold")
    for metric in metrics:
        head = escape(f"{metric.brief or metric.head}\n({metric.read or metric.unit})")
        lines.add_column(head, justify="right", no_wrap=True)
    stars = ["*" if is_best else "" for is_best in best]
    cells = [numbers(table, metric, bounds and metric.to_reference) for metric in metrics]
    for row in zip(stars, table["combination"], *cells, strict=True):
        lines.add_row(
            *(f"[dim]{one}[/dim]" if one.startswith(MARK) else escape(one) for one in row)
        )
    return lines


def plain_lines(table: pandas.DataFrame, remarks: Iterable[str] = ()) -> Table:
    """A table of texts and numbers as it is; what is told stands below."""
    lines = _empty(remarks)
    for column in table:
        cells = [str(cell) for cell in table[column]]
        words = " ".join([str(column), *cells]).split()
        lines.add_column(escape(str(column)), min_width=min(max(map(len, words), default=0), WORD))
    for cells in table.itertuples(index=False):
        lines.add_row(*(escape(str(cell)) for cell in cells))
    return lines


def _empty(remarks: Iterable[str]) -> Table:
    """A table without columns, notes below."""
    return Table(
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        caption=escape("\n".join(remarks)) or None,
        caption_justify="left",
    )

"""One table of a study with the columns that a paper wants, the best number of each in bold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas

from htpbench.errors import unknown
from htpbench.report.current import CONTROL
from htpbench.report.latex import escape
from htpbench.report.tables import amount, metrics_of, numbers
from htpbench.report.text import markdown
from htpbench.systems.metric import Metric

Cell = tuple[str, str]  # of the table as texts: combination, column


def chosen_columns(table: pandas.DataFrame, names: Sequence[str]) -> list[Metric]:
    """The metrics of a `sweep_table` in the order they were named; BenchError for one it lacks."""
    known = {metric.name: metric for metric in metrics_of(table)}
    for name in names:
        if name not in known:
            raise unknown("column", name, known)
    return [known[name] for name in dict.fromkeys(names)]


def typeset(
    table: pandas.DataFrame, metrics: Sequence[Metric], caption: str | None, label: str | None
) -> str:
    """A table environment for the package booktabs; pandas' Styler writes it."""
    texts = in_texts(table, metrics).set_index("combination")
    bold = best(table, metrics)
    style: Any = texts.style.format(escape).format_index(lambda name: rf"\texttt{{{escape(name)}}}")
    style = style.format_index(escape, axis="columns")
    style = style.apply(
        lambda column: ["textbf:--rwrap;" * ((n, column.name) in bold) for n in column.index]
    )
    style.index.name = None
    return style.to_latex(
        hrules=True,
        column_format="l" + "r" * len(metrics),
        caption=escape(caption) if caption else None,
        label=label,
        position_float="centering",
    )


def as_markdown(table: pandas.DataFrame, metrics: Sequence[Metric]) -> str:
    """The same as a pipe table; a star leads the best."""
    texts, bold = in_texts(table, metrics), best(table, metrics)
    for metric in metrics:
        head = metric.column
        pairs = zip(texts["combination"], texts[head], strict=True)
        texts[head] = [f"* {text}" if (name, head) in bold else text for name, text in pairs]
    return markdown(texts)


def in_units(table: pandas.DataFrame, metrics: Sequence[Metric]) -> pandas.DataFrame:
    """Networks and numbers, in the units that people read; why a time is not to be trusted."""
    networks = networks_of(table)
    columns = {metric.column: networks[metric.name] / metric.scale for metric in metrics}
    doubted = table.attrs["doubtful"]
    names = {metric.name for metric in metrics}
    doubts = [
        "; ".join(dict.fromkeys(why for name, why in doubted.get(one, {}).items() if name in names))
        for one in networks["combination"]
    ]
    columns |= {"doubt": doubts} if any(doubts) else {}
    return pandas.DataFrame({"combination": networks["combination"], **columns})


def in_texts(table: pandas.DataFrame, metrics: Sequence[Metric]) -> pandas.DataFrame:
    """The same as texts; a MARK leads a time that is not to be trusted."""
    networks = networks_of(table)
    columns = {metric.column: numbers(networks, metric, bounds=False) for metric in metrics}
    return pandas.DataFrame({"combination": networks["combination"], **columns})


def best(table: pandas.DataFrame, metrics: Sequence[Metric]) -> set[Cell]:
    """The cells with the best number of their column as it is printed, of those to be trusted."""
    networks, doubted = networks_of(table), table.attrs["doubtful"]
    found = set()
    for metric in metrics:
        trusted = [metric.name not in doubted.get(name, ()) for name in networks["combination"]]
        held = networks.loc[trusted].dropna(subset=metric.name)
        if metric.better is None or held.empty:
            continue
        values = held[metric.name]
        first = amount(values.max() if metric.better == "more" else values.min(), metric)
        pairs = zip(held["combination"], values, strict=True)
        found |= {(name, metric.column) for name, x in pairs if amount(x, metric) == first}
    return found


def networks_of(table: pandas.DataFrame) -> pandas.DataFrame:
    """The lines that are no controls."""
    return table.loc[~table["combination"].str.startswith(CONTROL)].reset_index(drop=True)

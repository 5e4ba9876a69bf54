"""A sweep's table for a terminal: the columns that people compare, the front marked."""

from __future__ import annotations

from collections.abc import Iterable

import pandas
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from htpbench.outside.fitting import CUT, Fitting, short
from htpbench.report.standing import Standing
from htpbench.report.tables import COLUMNS, numbers

SHOWN = {  # heads: a line for each that a narrow column needs
    "cost.flops": "FLOPs,\nall",
    "time.forward": "forward",
    "time.speedup": "speed-up",
    "time.prune_share": "pruning",
    "sampling.flops": "FLOPs,\nall calls",
    "sampling.forward": "all calls",
    "sampling.speedup": "speed-up,\nall calls",
    "accuracy.mpjpe": "MPJPE",
    "accuracy.delta": "minus\nref.'s",
}
BOUNDED = {
    "time.speedup",
    "sampling.speedup",
    "accuracy.delta",
}  # with their intervals, where there is room
WORD = 16  # a longer word may break
SPARED = {"time.prune_share"}  # left out where there is little


def sweep_lines(table: pandas.DataFrame, standing: Standing | None = None) -> Fitting:
    """One line a combination, notes below; a star leads those on the front.

    A narrow terminal shows names without the backbone that they share, a narrower one no intervals;
    where that is not enough, names break.
    """
    standing = standing or Standing()
    best = [name in standing.best for name in table["combination"]]
    noted = table.loc[table["note"] != ""]
    told = [f"{a}: {b}" for a, b in zip(noted["combination"], noted["note"], strict=True)]
    told = [*standing.told, *told]
    measured = [name for name in SHOWN if not table[name].dropna().empty]
    fewer = [name for name in measured if name not in SPARED]
    names, backbone = short(table["combination"])
    brief = table.assign(combination=names)
    noted = [*told, f"{CUT} {backbone}"] if backbone else told
    return Fitting(
        _lines(table, best, told, measured, BOUNDED),
        *(
            _lines(brief, best, noted, *variant)
            for variant in ((measured, BOUNDED), (measured, set()), (fewer, set()))
        ),
    )


def _lines(
    table: pandas.DataFrame, best: list[bool], told: list[str], columns: list[str], bounded: set
) -> Table:
    """The columns, some of them with their intervals; numbers never break."""
    lines = _empty(told)
    lines.add_column("")
    lines.add_column("combination", overflow="fold")
    for name in columns:
        head = f"{SHOWN[name]}\n({COLUMNS[name].unit})"
        lines.add_column(head, justify="right", no_wrap=True)
    stars = ["*" if is_best else "" for is_best in best]
    cells = [numbers(table, name, COLUMNS[name], name in bounded) for name in columns]
    for row in zip(stars, table["combination"], *cells, strict=True):
        lines.add_row(*map(escape, row))
    return lines


def plain_lines(table: pandas.DataFrame, told: Iterable[str] = ()) -> Table:
    """A table of texts and numbers as it is; what is told stands below."""
    lines = _empty(told)
    for column in table:
        cells = [str(cell) for cell in table[column]]
        words = " ".join([str(column), *cells]).split()
        lines.add_column(str(column), min_width=min(max(map(len, words)), WORD))
    for cells in table.itertuples(index=False):
        lines.add_row(*(escape(str(cell)) for cell in cells))
    return lines


def _empty(told: Iterable[str]) -> Table:
    """A table without columns, notes below."""
    return Table(
        box=SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
        caption=escape("\n".join(told)) or None,
        caption_justify="left",
    )

"""The speed-up that counted operations promise against the one that a clock measured."""

from __future__ import annotations

from pathlib import Path

import pandas
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from htpbench.report.figures.combinations import families, handles, label_kept, styles
from htpbench.report.figures.pareto import interval
from htpbench.report.figures.style import legend_below, save, titled
from htpbench.report.tables import axes_of

TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128)


def speedup(
    table: pandas.DataFrame, flops: float, folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg; () where fewer than two networks have a cost and a time.

    `table` is a `sweep_table`, `flops` the operations of the network that speed-ups refer to, of
    one pass or all calls as in the table.
    """
    counted, measured = axes_of(table)
    present = table.dropna(subset=[counted, measured])
    if len(present) < 2:
        return ()
    present = present.assign(promised=flops / present[counted])
    return save(lambda: _draw(present, measured, title, subtitle), folder, name)


def _draw(table: pandas.DataFrame, measured: str, title: str, subtitle: str) -> Figure:
    figure = titled(3.7, title, subtitle)
    canvas = FigureCanvasAgg(figure)
    looks = styles(table)
    axes = figure.subplots()
    for family, members in table.groupby(families(table), sort=False):
        look = looks[str(family)]
        axes.errorbar(
            members["promised"],
            members[measured],
            yerr=interval(members, measured),
            linestyle="none",
            ecolor=(*look["color"], 0.5),
            elinewidth=1,
            zorder=3,
            **look,
        )
    lines = _ratios(axes)
    legend_below(figure, handles(looks), lines)
    canvas.draw()  # the layout must stand before labels can avoid one another
    places = list(zip(table["promised"], table[measured], strict=True))
    label_kept(axes, canvas, table, places, looks)
    return figure


def _ratios(axes: Axes) -> list:
    """Logarithmic axes, on which equal factors are equal distances; the two lines to read by."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(TICKS))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_locator(NullLocator())
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    promised = axes.axline((1, 1), (2, 2), color="0.3", linewidth=1, label="as promised")
    same = axes.axhline(
        1, color="0.3", linewidth=1, linestyle=":", label="no faster than the reference"
    )
    axes.set_xlim(left, right)
    axes.set_ylim(min(bottom, 0.9), max(top, 1.1))
    axes.set_xlabel("promised: FLOPs of the reference / FLOPs (x)")
    axes.set_ylabel("measured speed-up (x)")
    return [promised, same]

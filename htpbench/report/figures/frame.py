"""The cost of one output frame against the error that a paper prints, one point a row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from htpbench.report.figures.labels import Place, label
from htpbench.report.figures.style import legend_below, save, titled
from htpbench.report.published import scale_of

MARKERS = {"seq2seq": "o", "seq2frame": "s"}  # told apart without colours
ALONE = (0.35, 0.35, 0.35)  # networks of which the table has no pruned one
WHISKER: dict[str, Any] = {"linewidth": 0.8, "marker": "|", "markersize": 6}
GIGA = scale_of("G")


def frame(
    printed: pandas.DataFrame,
    ours: pandas.DataFrame,
    folder: Path,
    name: str,
    title: str,
    subtitle: str,
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg of `printed_frames` and `measured_frames`.

    An arrow leads from a network to its pruned one, a whisker to the cost at which an error was
    measured; ours are hollow.
    """
    return save(lambda: _draw(printed, ours, title, subtitle), folder, name)


def _draw(printed: pandas.DataFrame, ours: pandas.DataFrame, title: str, subtitle: str) -> Figure:
    figure = titled(4.6, title, subtitle)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("FLOPs of one output frame, papers' convention (G)")
    axes.set_ylabel("MPJPE (mm)")
    axes.margins(y=0.08)
    places = {one.Index: (one.cost / GIGA, one.error) for one in printed.itertuples()}
    colours = _colours(printed)
    lines = _lines(axes, printed, places, colours)
    for pipeline, members in printed.groupby("pipeline", sort=False):
        for row in members.index:
            axes.plot(*places[row], color=colours[row], **_mark(str(pipeline)))
    mine = [(one.cost / GIGA, one.error) for one in ours.itertuples()]
    for row, place in zip(ours.index, mine, strict=True):
        look = _mark(printed.loc[row, "pipeline"])
        axes.plot(*place, color=colours[row], fillstyle="none", **look)
        axes.plot(*zip(places[row], place, strict=True), color=colours[row], lw=0.6, ls=":")
    legend_below(figure, _handles(printed, bool(mine)))
    canvas.draw()  # the layout must stand before labels can avoid one another
    names, known = [*printed["name"]], [*places.values()]
    label(axes, canvas, names, known, colours.values(), avoid=lines + mine, far=True)
    return figure


def _lines(
    axes: Axes, printed: pandas.DataFrame, places: dict[int, Place], colours: dict[int, tuple]
) -> list[Place]:
    """Draw arrows and whiskers; the places along them, where no label should stand."""
    covered = []
    for row, whole in printed.loc[printed["whole"] > 0, "whole"].items():
        arrow = {"arrowstyle": "-|>", "color": colours[row], "lw": 0.8, "mutation_scale": 7}
        ends = {"xy": places[row], "xytext": places[whole]}
        axes.annotate("", **ends, arrowprops={**arrow, "shrinkA": 3, "shrinkB": 3}, zorder=1)
        covered += _along(places[whole], places[row])
    for row, flop in printed["evaluated"].dropna().items():
        end = flop / GIGA, places[row][1]
        x, y = zip(places[row], end, strict=True)
        axes.plot(x, y, color=colours[row], markevery=[1], **WHISKER)
        covered += _along(places[row], end)
    return covered


def _along(start: Place, end: Place) -> list[Place]:
    """Places on a straight line of axes of which x is logarithmic."""
    x = numpy.geomspace(start[0], end[0], 20)
    return [*zip(x, numpy.linspace(start[1], end[1], 20), strict=True)]


def _colours(printed: pandas.DataFrame) -> dict[int, tuple]:
    """Row -> its colour: one for each network that is pruned somewhere in the table."""
    networks = printed["combination"].str.partition("+")[0]
    pruned = dict.fromkeys(networks[printed["whole"] > 0])
    found = dict(zip(pruned, seaborn.color_palette("colorblind", len(pruned)), strict=True))
    return {row: found.get(network, ALONE) for row, network in networks.items()}


def _mark(pipeline: str) -> dict:
    """How a point of a pipeline looks."""
    return {"marker": MARKERS[pipeline], "markersize": 5, "linestyle": "none", "zorder": 3}


def _handles(printed: pandas.DataFrame, mine: bool) -> list[Line2D]:
    """The legend's entries, of what is drawn."""
    grey = {"color": ALONE}
    found = [
        Line2D([], [], label=f"{pipeline}, as printed", **grey, **_mark(pipeline))
        for pipeline in printed["pipeline"].unique()
    ]
    if (printed["whole"] > 0).any():
        found.append(
            Line2D(
                [], [], label="the same network pruned", lw=0.8, marker="<", markersize=4, **grey
            )
        )
    if printed["evaluated"].notna().any():
        found.append(Line2D([], [], label="cost when the error was measured", **WHISKER, **grey))
    if mine:
        hollow = {**_mark("seq2seq"), "fillstyle": "none"}
        found.append(Line2D([], [], label="hollow: ours", **hollow, **grey))
    return found

"""The cost of one output frame against the error that a paper prints, one point a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from htpbench.report.figures.labels import Place, label
from htpbench.report.figures.style import legend_below, save, titled
from htpbench.report.frame import Measured, Printed
from htpbench.report.published import scale_of

Colour = tuple[float, float, float]
MARKERS = {"seq2seq": "o", "seq2frame": "s"}  # told apart without colours
ALONE = (0.35, 0.35, 0.35)  # networks of which the table has no pruned one
WHISKER: dict[str, Any] = {"linewidth": 0.8, "marker": "|", "markersize": 6}
GIGA = scale_of("G")


def frame(
    printed: Sequence[Printed],
    ours: Sequence[Measured],
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


def _draw(
    printed: Sequence[Printed], ours: Sequence[Measured], title: str, subtitle: str
) -> Figure:
    figure = titled(4.6, title, subtitle)
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("FLOPs of one output frame, papers' convention (G)")
    axes.set_ylabel("MPJPE (mm)")
    axes.margins(y=0.08)
    places = {one.row: (one.cost / GIGA, one.error) for one in printed}
    colours = _colours(printed)
    lines = _lines(axes, printed, places, colours)
    for one in printed:
        axes.plot(*places[one.row], color=colours[one.row], **_mark(one.pipeline))
    mine = [_hollow(axes, one, places[one.printed.row], colours[one.printed.row]) for one in ours]
    legend_below(figure, _handles(printed, bool(mine)))
    canvas.draw()  # the layout must stand before labels can avoid one another
    names = [one.name for one in printed]
    label(axes, canvas, names, [*places.values()], colours.values(), avoid=lines + mine, far=True)
    return figure


def _hollow(axes: Axes, ours: Measured, printed: Place, colour: Colour) -> Place:
    """Draw ours and a line from where it is printed; ours' place."""
    place = ours.cost / GIGA, float(ours.error.value)  # type: ignore[arg-type]  # cells: numbers
    axes.plot(*place, color=colour, fillstyle="none", **_mark(ours.printed.pipeline))
    x, y = zip(printed, place, strict=True)
    axes.plot(x, y, color=colour, linewidth=0.6, linestyle=":")
    return place


def _lines(
    axes: Axes,
    printed: Sequence[Printed],
    places: Mapping[int, Place],
    colours: Mapping[int, Colour],
) -> list[Place]:
    """Draw arrows and whiskers; the places along them, where no label should stand."""
    covered = []
    for one in printed:
        place, colour = places[one.row], colours[one.row]
        if one.whole is not None:
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 0.8, "mutation_scale": 7}
            arrow |= {"shrinkA": 3, "shrinkB": 3}  # points, from the middle of the markers
            axes.annotate("", xy=place, xytext=places[one.whole], arrowprops=arrow, zorder=1)
            covered += _along(places[one.whole], place)
        if one.evaluated is not None:
            end = one.evaluated / GIGA, one.error
            x, y = zip(place, end, strict=True)
            axes.plot(x, y, color=colour, markevery=[1], **WHISKER)
            covered += _along(place, end)
    return covered


def _along(start: Place, end: Place) -> list[Place]:
    """Places on a straight line of axes of which x is logarithmic."""
    x = numpy.geomspace(start[0], end[0], 20)
    return [*zip(x, numpy.linspace(start[1], end[1], 20), strict=True)]


def _colours(printed: Sequence[Printed]) -> dict[int, Colour]:
    """Row -> its colour: one for each network that is pruned somewhere in the table."""
    networks = {one.row: one.combination.partition("+")[0] for one in printed}
    pruned = dict.fromkeys(networks[one.row] for one in printed if one.whole is not None)
    found = dict(zip(pruned, seaborn.color_palette("colorblind", len(pruned)), strict=True))
    return {row: found.get(network, ALONE) for row, network in networks.items()}


def _mark(pipeline: str) -> dict[str, Any]:
    """How a point of a pipeline looks."""
    return {"marker": MARKERS[pipeline], "markersize": 5, "linestyle": "none", "zorder": 3}


def _handles(printed: Sequence[Printed], mine: bool) -> list[Line2D]:
    """The legend's entries, of what is drawn."""
    grey: dict[str, Any] = {"color": ALONE}
    found = [
        Line2D([], [], label=f"{pipeline}, as printed", **grey, **_mark(pipeline))
        for pipeline in dict.fromkeys(one.pipeline for one in printed)
    ]
    if any(one.whole is not None for one in printed):
        arrow = {"linewidth": 0.8, "marker": "<", "markersize": 4}
        found.append(Line2D([], [], label="the same network pruned", **arrow, **grey))
    if any(one.evaluated is not None for one in printed):
        found.append(Line2D([], [], label="cost when the error was measured", **WHISKER, **grey))
    if mine:
        hollow = {**_mark("seq2seq"), "fillstyle": "none"}
        found.append(Line2D([], [], label="hollow: ours", **hollow, **grey))
    return found

"""What r, b and f do to speed and error: as a paper prints it in grey, ours in colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from htpbench.report.dials import ERROR, SPEED, Dial, Point
from htpbench.report.figures.style import legend_below, save, titled

PRINTED = {"color": "0.6", "marker": "s", "markersize": 4, "linewidth": 1.0}
UNPRUNED = {SPEED: 1.0, ERROR: 0.0}


def dials(
    found: Sequence[Dial], folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg of `htpbench.report.dials.dials`; () where there are none."""
    if not found:
        return ()
    return save(lambda: _draw(found, title, subtitle), folder, name)


def _draw(found: Sequence[Dial], title: str, subtitle: str) -> Figure:
    known = [what for what in UNPRUNED if any(dial.printed[what] for dial in found)]
    figure = titled(0.6 + 1.9 * len(known), title, subtitle)
    panels = figure.subplots(len(known), len(found), squeeze=False, sharey="row")
    for what, line in zip(known, panels, strict=True):
        line[0].set_ylabel(what)
        for dial, axes in zip(found, line, strict=True):
            _panel(axes, dial, what)
    for dial, axes in zip(found, panels[-1], strict=True):
        axes.set_xlabel(f"{dial.name} of {dial.around.partition('+')[2]}", fontsize=7)
    handles = [
        Line2D([], [], label="printed", **PRINTED),  # type: ignore[arg-type]
        Line2D([], [], label="ours; bars: 95 %", **_ours()),
        Line2D([], [], label="unpruned", color="0.3", linewidth=0.8, linestyle=":"),
    ]
    legend_below(figure, handles)
    return figure


def _panel(axes: Axes, dial: Dial, what: str) -> None:
    """One dial and what it does to one number."""
    printed, ours = dial.printed[what], dial.ours[what]
    axes.axhline(UNPRUNED[what], color="0.3", linewidth=0.8, linestyle=":", zorder=1)
    places = [point.setting for point in printed], [point.value for point in printed]
    axes.plot(*places, **PRINTED)  # type: ignore[arg-type]
    if ours:
        places = [point.setting for point in ours], [point.value for point in ours]
        axes.errorbar(*places, yerr=_bars(ours), **_ours())
    if dial.name != "b":  # r and f are shares of F
        axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sorted({one.setting for one in printed + ours})))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def _ours() -> dict:
    return {
        "color": seaborn.color_palette("colorblind")[0],
        "marker": "o",
        "markersize": 4,
        "linewidth": 1.2,
    }


def _bars(points: Sequence[Point]) -> list[list[float]]:
    """How far down and up each interval reaches; no way where there is none."""
    ends = [(point.value - point.low, point.high - point.value) for point in points]
    return [[0.0 if math.isnan(end) else end for end in side] for side in zip(*ends, strict=True)]

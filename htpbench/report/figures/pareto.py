"""Cost and time against error, one point per combination."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from htpbench.records.front import front
from htpbench.report.current import CONTROL
from htpbench.report.figures.combinations import UNPRUNED, families, handles, label_kept, styles
from htpbench.report.figures.style import legend_below, save, titled
from htpbench.report.tables import axes_of
from htpbench.systems.catalogue import metric as metric_of

ERROR = "accuracy.mpjpe"
DOTTED = (":", "--", "-.", (0, (1, 4)))  # lines of controls
WIDE = 5  # times from the least error to the largest: then the axis is logarithmic
APART, LEAST_BROKEN = 0.3, 6  # of the errors' range; networks
DELTA = "accuracy.delta"  # its interval is drawn: what clips share does not blur a comparison


def pareto(
    table: pandas.DataFrame,
    allowed: Collection[str],
    beside: Collection[str],
    folder: Path,
    name: str,
    title: str,
    subtitle: str,
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg: FLOPs (all counted) and measured speed-up against MPJPE.

    `table` is a `sweep_table`; a line without a number is left out of the panel that needs it. The
    networks that are not `allowed` violate a constraint: they are hollow and on no front, nor is
    what the study is measured `beside`. Labels are the frames kept at each stage, where there is
    room. () where nothing is on a front.
    """
    control = table["combination"].str.startswith(CONTROL)
    drawn = table.loc[~control].dropna(subset=list(axes_of(table)), how="all")
    named = drawn["combination"]
    drawn = drawn.assign(allowed=named.isin(list(allowed)), beside=named.isin(list(beside)))
    if not any(any(leading(drawn, x)) for x in axes_of(drawn)):
        return ()
    beaten = table.loc[control].dropna(subset=[ERROR])
    beaten = beaten.loc[beaten[ERROR] <= drawn[ERROR].max()]
    return save(lambda: _draw(drawn, beaten, title, subtitle), folder, name)


def leading(table: pandas.DataFrame, x: str) -> list[bool]:
    """Which lines are on the front of one panel: of those that are meant and violate nothing."""
    points = table.loc[:, [x, ERROR]].where(table["allowed"] & ~table["beside"])
    return front(points.to_dict("records"), (x, ERROR))


def _draw(table: pandas.DataFrame, controls: pandas.DataFrame, title: str, subtitle: str) -> Figure:
    figure = titled(3.9, title, subtitle)
    canvas = FigureCanvasAgg(figure)
    looks = styles(table)
    grid = _panels(figure, table)
    for axes, x in zip(grid.T, axes_of(table), strict=True):
        for part in axes:
            _points(part, table, x, looks)
        axes[-1].set_xlabel(metric_of(x).column)
    _vertical(grid, table, controls)
    lines = [Line2D([], [], color="0.6", label="front: no point is better in both")]
    if not all(table["allowed"]):
        hollow = {"color": "0.6", "marker": "o", "markersize": 5, "fillstyle": "none"}
        lines.append(Line2D([], [], linestyle="none", label="violates a constraint", **hollow))
    known = zip(controls["combination"], controls[ERROR], DOTTED, strict=False)
    for name, error, look in known:
        how: Any = {"color": "0.4", "linewidth": 1, "linestyle": look}
        drawn = [axes.axhline(error, **how) for axes in grid.flat]
        drawn[0].set_label(name)
        lines.append(drawn[0])
    legend_below(figure, handles(looks), lines)
    canvas.draw()  # the layout must stand before labels can avoid one another
    for axes, x in zip(grid.T, axes_of(table), strict=True):
        present = table.dropna(subset=[x, ERROR])
        order = pandas.Series(leading(present, x), index=present.index)
        present = present.loc[order.sort_values(ascending=False, kind="stable").index]
        places = list(zip(present[x] / metric_of(x).scale, present[ERROR], strict=True))
        for part in axes:
            label_kept(part, canvas, present, places, looks)
    return figure


def _panels(figure: Figure, table: pandas.DataFrame) -> numpy.ndarray:
    """(1 or 2, 2) axes: a column an axis to read across, two rows where the errors have a break."""
    heights = [1] if gap(table) is None else [1, 2]
    shared: Any = {"sharex": "col", "sharey": "row", "squeeze": False}
    return figure.subplots(len(heights), 2, height_ratios=heights, **shared)


def gap(table: pandas.DataFrame) -> tuple[float, float] | None:
    """The errors between which an axis is broken: far apart, the fewer ones above; else None.

    So that a few networks that went wrong do not press all others into a line.
    """
    known = sorted(table[ERROR].dropna())
    if len(known) < LEAST_BROKEN or known[-1] > WIDE * known[0]:
        return None
    steps = numpy.diff(known)
    place = int(steps.argmax())
    apart = steps[place] > APART * (known[-1] - known[0])
    return (known[place], known[place + 1]) if apart and place >= len(known) / 2 else None


def _points(axes: Axes, table: pandas.DataFrame, x: str, looks: dict[str, dict]) -> None:
    """One panel: the front as a line, then each family's points with their intervals."""
    scale = metric_of(x).scale
    present = table.dropna(subset=[x, ERROR])
    if present.empty:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color="0.5")
        return
    best = present.loc[leading(present, x)].sort_values([x, ERROR])
    axes.plot(best[x] / scale, best[ERROR], color="0.6", linewidth=1, zorder=1)
    for key, members in present.groupby([families(present), "allowed"], sort=False):
        family, allowed = key  # type: ignore[misc]
        axes.errorbar(
            members[x] / scale,
            members[ERROR],
            xerr=interval(members, x),
            yerr=interval(members, DELTA),
            linestyle="none",
            ecolor=(*looks[str(family)]["color"], 0.4),
            elinewidth=1,
            zorder=3 if family == UNPRUNED else 2,
            fillstyle="full" if allowed else "none",
            **looks[str(family)],
        )


def interval(table: pandas.DataFrame, metric: str) -> numpy.ndarray | None:
    """(2, n) distances from the value down to low and up to high, in the column's unit."""
    if not metric_of(metric).bounded:
        return None
    value, low, high = (table[f"{metric}{end}"] for end in ("", ".low", ".high"))
    return numpy.clip([value - low, high - value], 0, None) / metric_of(metric).scale


def _vertical(grid: numpy.ndarray, table: pandas.DataFrame, controls: pandas.DataFrame) -> None:
    """The axis that both panels share: broken, or logarithmic where errors spread widely."""
    axes, errors = grid[-1, 0], table[ERROR]
    axes.set_ylabel(metric_of(ERROR).column)
    axes.margins(y=0.1)  # room for labels below the front
    if len(grid) > 1:
        _broken(grid, table, controls)
    elif max(errors.dropna(), default=0) > WIDE * min(errors.dropna(), default=0):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())


def _broken(grid: numpy.ndarray, table: pandas.DataFrame, controls: pandas.DataFrame) -> None:
    """Give each row of axes its part of the errors, and mark where the axis is broken."""
    errors, between = table[ERROR], gap(table)
    assert between is not None
    bars = interval(table, DELTA)
    down, up = numpy.zeros((2, len(table))) if bars is None else numpy.nan_to_num(bars)
    places = [*(errors - down), *(errors + up), *controls[ERROR]]
    whose = [*errors, *errors, *controls[ERROR]]  # a control in the gap belongs below it
    for axes, above in zip(grid[:, 0], (True, False), strict=True):
        mine = [at for at, one in zip(places, whose, strict=True) if (one >= between[1]) == above]
        low, high = numpy.nanmin(mine), numpy.nanmax(mine)
        room = 0.1 * (high - low) or 1.0
        axes.set_ylim(low - room, high + room)
    slant: Any = {"marker": [(-1, -0.5), (1, 0.5)], "markersize": 7, "linestyle": "none"}
    for upper, lower in grid.T:
        upper.spines["bottom"].set_visible(False)
        upper.tick_params(labelbottom=False)
        lower.spines["top"].set_visible(False)
        for axes, height in ((upper, 0), (lower, 1)):
            ends = {"transform": axes.transAxes, "color": "0.5", "clip_on": False}
            axes.plot([0, 1], [height, height], **ends, **slant)

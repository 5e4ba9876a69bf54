"""What moved between runs, over commits: a panel a metric, a line a network."""

from __future__ import annotations

from pathlib import Path

import numpy
import pandas
import seaborn
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htpbench.report.figures.combinations import MARKERS
from htpbench.report.figures.style import legend_below, save, titled
from htpbench.systems.catalogue import metric as metric_of

PANELS, CURVES = 6, 8  # that eyes can tell apart


def history(table: pandas.DataFrame, folder: Path) -> tuple[Path, ...]:
    """Write history.png and .svg of a `report.history`; () where no number has two commits."""
    if len(set(table["commit"])) < 2:
        return ()
    return save(lambda: _draw(table), folder, "history")


def _draw(table: pandas.DataFrame) -> Figure:
    commits = list(dict.fromkeys(table["commit"]))
    names = list(dict.fromkeys(table["combination"]))
    left = f"; the first {CURVES} of {len(names)} networks" if names[CURVES:] else ""
    names = names[:CURVES]
    metrics = list(dict.fromkeys(table.loc[table["combination"].isin(names), "metric"]))
    left += f"; the first {PANELS} of {len(metrics)} metrics" if metrics[PANELS:] else ""
    metrics = metrics[:PANELS]
    below = f"{len(commits)} commits in the order they were measured; bars: 95 %{left}"
    figure = titled(1.9 * len(metrics), "What moved, over commits", below)
    panels = figure.subplots(len(metrics), sharex=True, squeeze=False)[:, 0]
    colours = dict(zip(names, seaborn.color_palette("colorblind", CURVES), strict=False))
    marks = dict(zip(names, MARKERS, strict=False))
    for axes, name in zip(panels, metrics, strict=True):
        known = metric_of(name)
        for network, mine in table[table["metric"] == name].groupby("combination", sort=False):
            if network not in colours:
                continue
            ends = ("value", "low", "high")
            values, low, high = (numpy.array(mine[e], float) / known.scale for e in ends)
            bars = numpy.nan_to_num([values - low, high - values]).clip(0)
            at = [commits.index(commit) for commit in mine["commit"]]
            look = {"color": colours[network], "marker": marks[network], "markersize": 5}
            axes.errorbar(at, values, yerr=bars, linewidth=1.2, **look)
        axes.set_ylabel(known.column.replace(" (", "\n("))
        axes.set_xticks(range(len(commits)), commits, rotation=30, ha="right")
    panels[-1].set_xlabel("commit")
    looks = {"linestyle": "-", "markersize": 5}
    lines = [Line2D([], [], color=colours[n], marker=marks[n], label=n, **looks) for n in names]
    legend_below(figure, lines)
    return figure

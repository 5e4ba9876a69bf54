"""MPJPE over the frames kept (r) and the block before which one prunes (b)."""

from __future__ import annotations

import re
from pathlib import Path

import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, SymLogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import NullLocator, ScalarFormatter

from htpbench.report.figures.combinations import short
from htpbench.report.figures.style import SMALL, legend_below, save, titled
from htpbench.systems.catalogue import metric as metric_of

METRICS = ("accuracy.delta", "accuracy.mpjpe")  # what is shown, the first that was measured
STAGE = re.compile(r":(\d+)@(\d+)(?=\+|$)")  # of the only stage
MISSING = {"facecolor": "0.95", "edgecolor": "0.6", "hatch": "////", "linewidth": 0}
ACROSS = 3  # panels side by side
TICKS = (-30, -10, -3, -1, 0, 1, 3, 10, 20, 30, 40, 50, 70, 100, 150, 200, 300)  # mm


def grid(
    table: pandas.DataFrame, folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg: a panel a pruner and recoverer; () without such a grid.

    `table` is a `sweep_table`, with differences to the reference where they are known. A panel
    needs two r before one block and two b with one r.
    """
    metric = next((one for one in METRICS if one in table and any(table[one].notna())), None)
    if metric is None or not (panels := cells(table, metric)):
        return ()
    return save(lambda: _draw(panels, metric, title, subtitle), folder, name)


def cells(table: pandas.DataFrame, metric: str) -> dict[str, pandas.DataFrame]:
    """System -> its metric over r (falling, down) and b (rising, right), NaN where not measured."""
    lines = []
    for combination, value in zip(table["combination"], table[metric], strict=True):
        stages = STAGE.findall(combination)
        if len(stages) == 1 and "," not in combination:
            (r, b) = map(int, stages[0])
            lines.append({"system": STAGE.sub("", combination), "r": r, "b": b, "value": value})
    found = pandas.DataFrame(lines, columns=["system", "r", "b", "value"]).dropna()
    panels = {}
    for system, each in found.groupby("system", sort=False):
        panel = each.pivot(index="r", columns="b", values="value").sort_index(ascending=False)
        if panel.notna().sum(axis=0).max() > 1 and panel.notna().sum(axis=1).max() > 1:
            panels[str(system)] = panel
    return panels


def _draw(panels: dict[str, pandas.DataFrame], metric: str, title: str, subtitle: str) -> Figure:
    down = -(-len(panels) // ACROSS)
    across = -(-len(panels) // down)
    tall = max(len(panel) for panel in panels.values())
    figure = titled(down * (0.7 + 0.3 * tall), title, subtitle)
    places = figure.subplots(down, across, squeeze=False)
    norm = shades([value for panel in panels.values() for value in panel.stack().dropna()], metric)
    titles = short(panels)
    for axes, panel, called in zip(places.flat, panels.values(), titles, strict=False):
        _panel(axes, panel, metric, norm)
        axes.set_title(called)
    for unused in places.flat[len(panels) :]:
        unused.set_axis_off()
    bar = figure.colorbar(places.flat[0].collections[-1], ax=places, pad=0.01, aspect=30)
    bar.set_label(metric_of(metric).column)
    bar.set_ticks([tick for tick in TICKS if norm.vmin <= tick <= norm.vmax])  # type: ignore
    bar.ax.yaxis.set_major_formatter(ScalarFormatter())
    bar.ax.yaxis.set_minor_locator(NullLocator())
    if any(panel.isna().any(axis=None) for panel in panels.values()):
        legend_below(figure, [Patch(**MISSING, label="not measured")])
    return figure


def shades(values: list[float], metric: str) -> Normalize:
    """Equal steps of shade are equal factors; differences within a millimetre are linear."""
    low, high = min(values), max(values)
    if metric == "accuracy.delta":
        return SymLogNorm(linthresh=1, vmin=min(low, 0), vmax=max(high, 1))
    return LogNorm(low, max(high, 1.01 * low))


def _panel(axes: Axes, panel: pandas.DataFrame, metric: str, norm: Normalize) -> None:
    """Cells with their numbers; hatched where there is none."""
    sign = "+" if metric == "accuracy.delta" else ""
    axes.set_facecolor(MISSING["facecolor"])
    axes.add_patch(Rectangle((0, 0), *panel.shape[::-1], **MISSING))
    seaborn.heatmap(
        panel,
        ax=axes,
        norm=norm,
        cmap=seaborn.color_palette("mako_r", as_cmap=True),
        annot=True,
        fmt=f"{sign}.{metric_of(metric).decimals}f",
        annot_kws={"fontsize": SMALL},
        linewidths=0.5,
        cbar=False,
    )
    axes.tick_params(axis="y", rotation=0)
    axes.set_xlabel("b: pruned before block")
    axes.set_ylabel("r: frames kept")

"""Networks trained several times: MPJPE of each seed, and how far it lies from the reference."""

from __future__ import annotations

from pathlib import Path

import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htpbench.report.figures.style import legend_below, save, titled
from htpbench.report.regimes import ORDER
from htpbench.report.seeds import MEAN

MARKERS = "osD^vPX"


def seeds(
    found: pandas.DataFrame,
    apart: pandas.DataFrame,
    folder: Path,
    name: str,
    title: str,
    subtitle: str,
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg of `scores` and `differences`, a line of panels a regime.

    Left: a point is the MPJPE of one network. Right: its difference to the reference of the same
    seed; the bar is the 95 % interval of the mean, over subjects and seeds.
    """
    return save(lambda: _draw(found, apart, title, subtitle), folder, name)


def _draw(found: pandas.DataFrame, apart: pandas.DataFrame, title: str, subtitle: str) -> Figure:
    present = [regime for regime in ORDER if regime in set(found["lineage"])]
    names = list(dict.fromkeys(found["combination"]))
    figure = titled((0.7 + 0.2 * len(names)) * len(present) + 0.2, title, subtitle)
    panels = figure.subplots(len(present), 2, squeeze=False, sharex="col", sharey=True)
    numbers = sorted(found["seed"].unique())
    colours = seaborn.color_palette("colorblind", len(numbers))
    looks = {
        str(seed): {"color": colour, "marker": MARKERS[index % len(MARKERS)]}
        for index, (seed, colour) in enumerate(zip(numbers, colours, strict=True))
    }
    texts = found.assign(seed=found["seed"].astype(str))
    for regime, (left, right) in zip(present, panels, strict=True):
        mine = apart.loc[apart["lineage"] == regime]
        _points(left, texts.loc[texts["lineage"] == regime], "mpjpe", names, looks)
        _points(right, mine, "difference", names, looks)
        mean = mine.loc[mine["seed"] == MEAN]
        at = [names.index(name) for name in mean["combination"]]
        right.hlines(at, mean["low"], mean["high"], color="0.7", linewidth=4, zorder=1)
        right.axvline(0, color="0.4", linewidth=1, linestyle=":")
        left.set_title(f"weights: {regime}")
        left.set_yticks(range(len(names)), names)
        left.set_ylim(len(names) - 0.5, -0.5)
    panels[-1, 0].set_xlabel("MPJPE (mm)")
    panels[-1, 1].set_xlabel("MPJPE minus the reference's (mm)")
    legend_below(figure, panels[0, 0].get_lines())
    return figure


def _points(
    axes: Axes, table: pandas.DataFrame, value: str, names: list[str], looks: dict[str, dict]
) -> None:
    """A point a network, at the height of its combination."""
    for seed, look in looks.items():
        mine = table.loc[table["seed"] == seed]
        at = [names.index(name) for name in mine["combination"]]
        axes.plot(mine[value], at, linestyle="none", markersize=4, label=f"seed {seed}", **look)

"""Networks trained several times: MPJPE of each seed, and how far it lies from the reference."""

from __future__ import annotations

from pathlib import Path

import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htpbench.report.figures.style import legend_below, save, titled

MARKERS = "osD^vPX"


def seeds(
    found: pandas.DataFrame,
    apart: pandas.DataFrame,
    folder: Path,
    name: str,
    title: str,
    subtitle: str,
) -> tuple[Path, Path]:
    """Write <name>.png and <name>.svg of `scores` and `differences` of one lineage.

    Left: a point is the MPJPE of one network. Right: its difference to the reference of the same
    seed; the bar is the 95 % interval of the mean over seeds, from clips.
    """
    return save(lambda: _draw(found, apart, title, subtitle), folder, name)


def _draw(found: pandas.DataFrame, apart: pandas.DataFrame, title: str, subtitle: str) -> Figure:
    names = list(dict.fromkeys(found["combination"]))
    figure = titled(0.9 + 0.2 * len(names), title, subtitle)
    left, right = figure.subplots(1, 2, sharey=True)
    looks = {}
    numbers = sorted(found["seed"].unique())
    for index, (seed, colour) in enumerate(
        zip(numbers, seaborn.color_palette("colorblind", len(numbers)), strict=True)
    ):
        looks[str(seed)] = {"color": colour, "marker": MARKERS[index % len(MARKERS)]}
    _points(left, found.assign(seed=found["seed"].astype(str)), "mpjpe", names, looks)
    _points(right, apart, "difference", names, looks)
    whole = apart.loc[apart["seed"] == "all"]
    right.hlines(
        [names.index(name) for name in whole["combination"]],
        whole["low"],
        whole["high"],
        color="0.6",
        linewidth=3,
        zorder=1,
    )
    right.axvline(0, color="0.4", linewidth=1, linestyle=":")
    left.set_yticks(range(len(names)), names)
    left.set_ylim(len(names) - 0.5, -0.5)
    left.set_xlabel("MPJPE (mm)")
    right.set_xlabel("MPJPE minus the reference's (mm)")
    legend_below(figure, [line for line in left.get_lines()])
    return figure


def _points(
    axes: Axes, table: pandas.DataFrame, value: str, names: list[str], looks: dict[str, dict]
) -> None:
    """A point a network, at the height of its combination."""
    for seed, look in looks.items():
        mine = table.loc[table["seed"] == seed]
        at = [names.index(name) for name in mine["combination"]]
        axes.plot(mine[value], at, linestyle="none", markersize=4, label=f"seed {seed}", **look)

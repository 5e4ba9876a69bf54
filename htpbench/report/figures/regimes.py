"""MPJPE against kept frames, and schedule by schedule, for each way that weights came to them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter

from htpbench.report.figures.style import save, titled
from htpbench.report.regimes import means
from htpbench.systems.combination import parse

MARKERS = {"same": "o", "any": "s", "transferred": "^"}


def regimes(
    found: pandas.DataFrame, folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg of `htpbench.report.regimes.scores`; () without pruning.

    Left: MPJPE against the frames that the last stage keeps; a line joins the means over seeds of
    the single-stage schedules before one block, points are seeds. Right: each schedule's mean
    against its mean with weights trained for it.
    """
    parsed = {text: parse(text) for text in found["combination"].unique()}
    pruned = found.loc[[parsed[text].pruner is not None for text in found["combination"]]]
    if pruned.empty:
        return ()
    schedules = [parsed[text].schedule for text in pruned["combination"]]
    usual = Counter(stages[0][1] for stages in schedules).most_common(1)[0][0]
    placed = pruned.assign(
        kept=[stages[-1][0] for stages in schedules],
        usual=[len(stages) == 1 and stages[0][1] == usual for stages in schedules],
    )
    return save(lambda: _draw(placed, usual, title, subtitle), folder, name)


def _draw(found: pandas.DataFrame, block: int, title: str, subtitle: str) -> Figure:
    figure = titled(3.5, title, subtitle)
    left, right = figure.subplots(1, 2)
    colours = dict(zip(MARKERS, seaborn.color_palette("colorblind", len(MARKERS)), strict=True))
    _against_kept(left, found, block, colours)
    _against_same(right, found, colours)
    return figure


def _against_kept(axes: Axes, found: pandas.DataFrame, block: int, colours: dict) -> None:
    """Seeds as points; hollow: more stages than one, or another block."""
    for regime, marker in MARKERS.items():
        mine = found.loc[found["lineage"] == regime]
        usual, others = mine.loc[mine["usual"]], mine.loc[~mine["usual"]]
        if mine.empty:
            continue
        style = {"color": colours[regime], "marker": marker, "linestyle": "none", "markersize": 5}
        line = usual.groupby("kept")["mpjpe"].mean().to_dict()
        axes.plot([*line], [*line.values()], color=colours[regime], linewidth=1.2)
        axes.plot(usual["kept"], usual["mpjpe"], label=regime, **style)
        axes.plot(others["kept"], others["mpjpe"], fillstyle="none", **style)
    axes.set_xscale("log")
    axes.set_xticks(sorted(found["kept"].unique()))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(f"frames kept last (line: one stage, before block {block}; hollow: others)")
    axes.set_ylabel("MPJPE (mm)")
    axes.legend(title="weights")


def _against_same(axes: Axes, found: pandas.DataFrame, colours: dict) -> None:
    """Points above the diagonal are worse than with weights trained for the schedule."""
    parts = {str(regime): means(part) for regime, part in found.groupby("lineage")}
    same = parts.pop("same", {})
    if not same or not parts:
        axes.text(0.5, 0.5, "nothing to compare", transform=axes.transAxes, ha="center")
        return
    ends = [min(same.values()), max(same.values())]
    axes.plot(ends, ends, color="0.6", linewidth=1)
    for regime, mine in parts.items():
        pairs = [(same[name], mine[name]) for name in mine if name in same]
        style = {"color": colours[regime], "marker": MARKERS[regime], "linestyle": "none"}
        axes.plot(*zip(*pairs, strict=True), label=regime, **style)
    axes.set_xlabel("MPJPE with weights trained for the schedule (mm)")
    axes.set_ylabel("MPJPE with other weights (mm)")
    axes.legend(title="weights")

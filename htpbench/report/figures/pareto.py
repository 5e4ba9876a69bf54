"""Cost and time against error, one point per combination."""

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
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from matplotlib.transforms import Bbox

from htpbench.errors import BenchError
from htpbench.report.figures.style import save
from htpbench.report.tables import BOUNDED, COLUMNS, front

ERROR = "accuracy.mpjpe"
DELTA = "accuracy.delta"  # its interval is drawn: what clips share does not blur a comparison
PANELS = ("cost.flops", "time.speedup")  # the horizontal axes, left and right
MARKERS = "osD^vPX<>"
# Where a label may stand, (right, up) in points, the best first; any farther and it would seem to
# belong to another point.
SPOTS = [(5, 4), (5, -4), (6, 0), (-5, 4), (-5, -4), (-6, 0), (0, 6), (0, -6)]


def pareto(
    table: pandas.DataFrame, folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, Path]:
    """Write <name>.png and <name>.svg: FLOPs (all counted) and measured speed-up against MPJPE.

    `table` is a `sweep_table`; a line without a number is left out of the panel that needs it.
    Labels are the frames kept at each stage, where there is room. Raises BenchError where nothing
    can be drawn or written.
    """
    if all(table[[x, ERROR]].dropna().empty for x in PANELS):
        raise BenchError(
            f"nothing to draw in {name}: no combination has an MPJPE and a cost or a time; "
            "measure both, or show a table"
        )
    drawn = table.dropna(subset=list(PANELS), how="all")
    beaten = table.drop(drawn.index).dropna(subset=[ERROR])  # a control has neither cost nor time
    beaten = beaten.loc[beaten[ERROR] <= drawn[ERROR].max()]
    return save(lambda: _draw(drawn, beaten, title, subtitle), folder, name)


def _draw(table: pandas.DataFrame, controls: pandas.DataFrame, title: str, subtitle: str) -> Figure:
    figure = Figure(figsize=(9, 5))
    canvas = FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.88), w_pad=0.08, h_pad=0.08)
    figure.text(0.01, 0.96, title, fontsize=12, weight="bold", va="center")
    figure.text(0.01, 0.91, subtitle, color="0.3", va="center")
    styles = _styles(table)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, x in zip(panels, PANELS, strict=True):
        _points(axes, table, x, styles)
    _vertical(panels[0], table[ERROR])
    handles = [Line2D([], [], linestyle="none", label=key, **styles[key]) for key in styles]
    handles.append(Line2D([], [], color="0.6", label="front: no point is better in both"))
    for name, error in zip(controls["combination"], controls[ERROR], strict=True):
        lines = [axes.axhline(error, color="0.4", linewidth=1, linestyle=":") for axes in panels]
        lines[0].set_label(name)
        handles.append(lines[0])
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6))
    canvas.draw()  # the layout must stand before labels can avoid one another
    for axes, x in zip(panels, PANELS, strict=True):
        _labels(axes, canvas, table, x, styles)
    return figure


def _points(axes: Axes, table: pandas.DataFrame, x: str, styles: dict[str, dict]) -> None:
    """One panel: the front as a line, then each family's points with their intervals."""
    column = COLUMNS[x]
    axes.set_xlabel(f"{column.head} ({column.unit})")
    present = table.dropna(subset=[x, ERROR])
    if present.empty:
        axes.set_xticks([])
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", color="0.5")
        return
    best = present.loc[front(present, x, ERROR)].sort_values([x, ERROR])
    axes.plot(best[x] / column.scale, best[ERROR], color="0.6", linewidth=1, zorder=1)
    for family, members in present.groupby(_families(present), sort=False):
        axes.errorbar(
            members[x] / column.scale,
            members[ERROR],
            xerr=_interval(members, x),
            yerr=_interval(members, DELTA),
            linestyle="none",
            ecolor=(*styles[str(family)]["color"], 0.4),
            elinewidth=1,
            zorder=3 if family == "unpruned" else 2,
            **styles[str(family)],
        )


def _interval(table: pandas.DataFrame, metric: str) -> numpy.ndarray | None:
    """(2, n) distances from the value down to low and up to high, in the panel's unit."""
    if metric not in BOUNDED:
        return None
    value, low, high = (table[f"{metric}{end}"] for end in ("", ".low", ".high"))
    return numpy.clip([value - low, high - value], 0, None) / COLUMNS[metric].scale


def _vertical(axes: Axes, errors: Any) -> None:
    """The axis that both panels share: logarithmic only where errors spread widely."""
    axes.set_ylabel(f"{COLUMNS[ERROR].head} ({COLUMNS[ERROR].unit})")
    if errors.max() > 5 * errors.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())


def _labels(
    axes: Axes, canvas: FigureCanvasAgg, table: pandas.DataFrame, x: str, styles: dict[str, dict]
) -> None:
    """Write each point's kept frames beside it, the front's first; no room, no label."""
    present = table.dropna(subset=[x, ERROR])
    order = pandas.Series(front(present, x, ERROR), index=present.index)
    present = present.loc[order.sort_values(ascending=False, kind="stable").index]
    places = list(zip(present[x] / COLUMNS[x].scale, present[ERROR], strict=True))
    corners = [axes.transData.transform(place) for place in places]  # (2,) pixels each
    taken = [Bbox.from_extents(px - 4, py - 4, px + 4, py + 4) for px, py in corners]
    frame = axes.get_window_extent()
    named = zip(present["combination"], _families(present), places, strict=True)
    for combination, family, place in named:
        for right, up in SPOTS:
            label = axes.annotate(
                _kept(combination),
                place,
                (right, up),
                textcoords="offset points",
                fontsize=6.5,
                color=[0.7 * channel for channel in styles[family]["color"]],
                ha="left" if right > 0 else "right" if right < 0 else "center",
                va="bottom" if up > 0 else "top" if up < 0 else "center",
                path_effects=[withStroke(linewidth=1.5, foreground="white")],
                in_layout=False,
            )
            box = label.get_window_extent(canvas.get_renderer())
            inside = frame.containsx(box.x0) and frame.containsx(box.x1)
            if inside and not box.count_overlaps(taken):
                taken.append(box)
                break
            label.remove()


def _styles(table: pandas.DataFrame) -> dict[str, dict]:
    """Family -> colour and marker, in order of appearance; the unpruned model is a black star."""
    styles = {family: {} for family in dict.fromkeys(_families(table))}
    pruned = [family for family in styles if family != "unpruned"]
    colours = seaborn.color_palette("colorblind", len(pruned))
    for index, (family, colour) in enumerate(zip(pruned, colours, strict=True)):
        marker = MARKERS[index % len(MARKERS)]
        styles[family] = {"color": colour, "marker": marker, "markersize": 5}
    if "unpruned" in styles:
        styles["unpruned"] = {"color": (0.0, 0.0, 0.0), "marker": "*", "markersize": 12}
    return styles


def _families(table: pandas.DataFrame) -> pandas.Series:
    """What did the pruning and recovering of each line, as "tps + tri"; "unpruned"."""
    modules = (combination.split("+")[1:] for combination in table["combination"])
    names = [" + ".join(part.partition(":")[0] for part in parts) for parts in modules]
    return pandas.Series([name or "unpruned" for name in names], index=table.index)


def _kept(combination: str) -> str:
    """The frames kept at each stage: "mixste-243+tps:121@0,81@3+tri" -> "121, 81"."""
    _, _, pruning = combination.partition("+")
    schedule = pruning.partition("+")[0].partition(":")[2]
    return ", ".join(stage.partition("@")[0] for stage in schedule.split(",") if stage)

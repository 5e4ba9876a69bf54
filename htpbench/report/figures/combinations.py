"""What figures share of combinations: their rows, names, and looks where they are points.

A pruner and recoverer have one colour and marker.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy
import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from htpbench.records.rows import Row, latest
from htpbench.report.figures.style import SMALL

MARKERS = "osD^vPX<>phd"  # they differ where a print has no colours
UNPRUNED = "unpruned"
# Where a label may stand, (right, up) in points, the best first; any farther and it would seem to
# belong to another point.
SPOTS = [(5, 4), (5, -4), (6, 0), (-5, 4), (-5, -4), (-6, 0), (0, 6), (0, -6)]


def newest(rows: Iterable[Row], metric: str) -> dict[str, Row]:
    """Combination -> its newest ok row of a metric, in order of first appearance."""
    found: dict[str, Row] = {}
    for row in latest(rows).values():
        if row.metric == metric and row.status == "ok":
            rival = found.setdefault(row.combination, row)
            found[row.combination] = max(rival, row, key=lambda one: one.at)
    return found


def first(found: dict[str, Row], limit: int, subtitle: str) -> tuple[dict[str, Row], str]:
    """The first combinations, as many as a page holds; the subtitle says how many there are."""
    if len(found) <= limit:
        return found, subtitle
    return dict(list(found.items())[:limit]), f"{subtitle}; the first {limit} of {len(found)}"


def short(names: Iterable[str]) -> list[str]:
    """Combinations without their backbone, where all have the same and prune."""
    parts = [name.partition("+") for name in names]
    if len({backbone for backbone, _, _ in parts}) > 1 or not all(rest for _, _, rest in parts):
        return ["".join(part) for part in parts]
    return [rest for _, _, rest in parts]


def families(table: pandas.DataFrame) -> pandas.Series:
    """What did the pruning and recovering of each line, as "tps + tri"; "unpruned"."""
    modules = (combination.split("+")[1:] for combination in table["combination"])
    names = [" + ".join(part.partition(":")[0] for part in parts) for parts in modules]
    return pandas.Series([name or UNPRUNED for name in names], index=table.index)


def styles(table: pandas.DataFrame) -> dict[str, dict]:
    """Family -> colour and marker, in order of appearance; the unpruned model is a black star."""
    found = {family: {} for family in dict.fromkeys(families(table))}
    pruned = [family for family in found if family != UNPRUNED]
    colours = seaborn.color_palette("colorblind", len(pruned))
    for index, (family, colour) in enumerate(zip(pruned, colours, strict=True)):
        marker = MARKERS[index % len(MARKERS)]
        found[family] = {"color": colour, "marker": marker, "markersize": 5}
    if UNPRUNED in found:
        found[UNPRUNED] = {"color": (0.0, 0.0, 0.0), "marker": "*", "markersize": 11}
    return found


def handles(looks: dict[str, dict]) -> list[Line2D]:
    """The families' entries in a legend."""
    return [Line2D([], [], linestyle="none", label=name, **look) for name, look in looks.items()]


def kept(combination: str) -> str:
    """The frames kept at each stage: "mixste-243+tps:121@0,81@3+tri" -> "121, 81"."""
    _, _, pruning = combination.partition("+")
    schedule = pruning.partition("+")[0].partition(":")[2]
    return ", ".join(stage.partition("@")[0] for stage in schedule.split(",") if stage)


def label(
    axes: Axes,
    canvas: FigureCanvasAgg,
    table: pandas.DataFrame,
    places: list[tuple[float, float]],
    looks: dict[str, dict],
) -> None:
    """Write each line's kept frames beside its place, the first lines first; no room, no label.

    The canvas must have been drawn, for a layout that still moves has no places.
    """
    pixel = axes.figure.dpi / 72  # pixels a point
    corners = axes.transData.transform(places)  # (n, 2) pixels
    taken = numpy.hstack([corners - 4, corners + 4])  # (boxes, 4): left, bottom, right, top
    frame = axes.get_window_extent()
    texts = [kept(combination) for combination in table["combination"]]
    sizes = {text: _size(axes, canvas, text) for text in dict.fromkeys(texts)}
    for text, family, place, corner in zip(texts, families(table), places, corners, strict=True):
        for right, up in SPOTS:
            at = corner + pixel * numpy.array([right, up])
            low = at - sizes[text] * numpy.array([(1 - numpy.sign(one)) / 2 for one in (right, up)])
            high = low + sizes[text]
            apart = (taken[:, :2] > high).any(axis=1) | (taken[:, 2:] < low).any(axis=1)
            if apart.all() and frame.contains(*low) and frame.contains(*high):
                taken = numpy.vstack([taken, [*low, *high]])
                _write(axes, text, place, (right, up), looks[family]["color"])
                break


def _size(axes: Axes, canvas: FigureCanvasAgg, text: str) -> numpy.ndarray:
    """(2,) pixels: width and height of a label."""
    drawn = axes.text(0, 0, text, fontsize=SMALL)
    size = numpy.array(drawn.get_window_extent(canvas.get_renderer()).size)
    drawn.remove()
    return size


def _write(
    axes: Axes, text: str, place: tuple[float, float], spot: tuple[int, int], colour: tuple
) -> None:
    """A label some points right of and above a place."""
    right, up = spot
    axes.annotate(
        text,
        place,
        spot,
        textcoords="offset points",
        fontsize=SMALL,
        color=[0.7 * channel for channel in colour],
        ha="left" if right > 0 else "right" if right < 0 else "center",
        va="bottom" if up > 0 else "top" if up < 0 else "center",
        path_effects=[withStroke(linewidth=1.5, foreground="white")],
        in_layout=False,
    )

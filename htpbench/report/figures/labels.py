"""Labels that stay apart, beside the places that they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patheffects import withStroke

from htpbench.report.figures.style import SMALL

Place = tuple[float, float]
# Where a label may stand, (right, up) in points, the best first; any farther and it would seem to
# belong to another point, but for a line that leads to its own.
SPOTS = [(5, 4), (5, -4), (6, 0), (-5, 4), (-5, -4), (-6, 0), (0, 6), (0, -6)]
FAR = [(right, up) for up in (14, -14, 24, -24, 34, -34) for right in (8, -8, 24, -24)]


def label(
    axes: Axes,
    canvas: FigureCanvasAgg,
    texts: Sequence[str],
    places: Sequence[Place],
    colours: Iterable[Sequence[float]],
    avoid: Sequence[Place] = (),
    far: bool = False,
) -> None:
    """Write each text beside its place, the first ones first; no room, no label.

    With `far` a text without room there stands farther away, at the end of a line. `places` and
    `avoid`, which no label covers either, are in the units of the axes. The canvas must have been
    drawn, for a layout that still moves has no places.
    """
    pixel = axes.figure.dpi / 72  # pixels a point
    corners = axes.transData.transform([*places, *avoid])  # (n, 2) pixels
    taken = numpy.hstack([corners - 4, corners + 4])  # (boxes, 4): left, bottom, right, top
    frame = axes.get_window_extent()
    sizes = {text: _size(axes, canvas, text) for text in dict.fromkeys(texts)}
    for text, colour, place, corner in zip(texts, colours, places, corners, strict=False):
        for right, up in SPOTS + FAR if far else SPOTS:
            at = corner + pixel * numpy.array([right, up])
            low = at - sizes[text] * numpy.array([(1 - numpy.sign(one)) / 2 for one in (right, up)])
            high = low + sizes[text]
            apart = (taken[:, :2] > high).any(axis=1) | (taken[:, 2:] < low).any(axis=1)
            if apart.all() and frame.contains(*low) and frame.contains(*high):
                taken = numpy.vstack([taken, [*low, *high]])
                _write(axes, text, place, (right, up), colour)
                break


def _size(axes: Axes, canvas: FigureCanvasAgg, text: str) -> numpy.ndarray:
    """(2,) pixels: width and height of a label."""
    drawn = axes.text(0, 0, text, fontsize=SMALL)
    size = numpy.array(drawn.get_window_extent(canvas.get_renderer()).size)
    drawn.remove()
    return size


def _write(
    axes: Axes, text: str, place: Place, spot: tuple[int, int], colour: Sequence[float]
) -> None:
    """A label some points right of and above a place."""
    right, up = spot
    line = {"arrowstyle": "-", "color": colour, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2}
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
        arrowprops=None if spot in SPOTS else line,
        in_layout=False,
    )

"""Which frames a pruner keeps of consecutive windows: Figure 7 of the H2OT paper."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from htpbench.records.rows import Row
from htpbench.report.figures.combinations import first, newest, short
from htpbench.report.figures.style import save, titled
from htpbench.systems.combination import parse

METRIC = "selection.windows"
COLUMNS = 4  # combinations side by side
LIMIT = 12  # combinations


def kept(
    rows: Iterable[Row], folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg; () where no row tells the windows one by one.

    Above, a point is a frame that a window keeps; below, how many windows keep each frame.
    """
    found = newest(rows, METRIC)
    if not found:
        return ()
    shown, caption = first(found, LIMIT, subtitle)
    return save(lambda: _draw(shown, title, caption), folder, name)


def counts(row: Row) -> numpy.ndarray:
    """(F,) windows that keep each frame; they sum to windows x r."""
    kept = numpy.array(row.value, dtype=int)
    return numpy.bincount(kept, minlength=parse(row.combination).frames)


def _draw(found: dict[str, Row], title: str, subtitle: str) -> Figure:
    across = min(len(found), COLUMNS)
    bands = -(-len(found) // across)
    figure = titled(3.6 * bands, title, subtitle)
    panels = figure.subplots(
        2 * bands, across, squeeze=False, height_ratios=[3, 1.2] * bands, sharey="row"
    )
    colour = seaborn.color_palette("colorblind")[0]
    names = dict(zip(found, short(found), strict=True))
    for index, (combination, row) in enumerate(found.items()):
        band, column = divmod(index, across)
        above, below = panels[2 * band, column], panels[2 * band + 1, column]
        above.set_title(textwrap.fill(names[combination], 100 // across))
        _points(above, row, colour)
        _bars(below, row, colour)
        if column == 0:
            above.set_ylabel("window")
            below.set_ylabel("windows that\nkeep the frame")
    for unused in panels[2 * (bands - 1) :, len(found) - across * (bands - 1) :].flat:
        unused.set_axis_off()
    return figure


def _points(axes: Axes, row: Row, colour: tuple) -> None:
    """A point for each kept frame of each window."""
    windows = [int(window) for window in row.axis or ()]
    axes.plot(
        numpy.array(row.value),
        windows,
        color=colour,
        linestyle="none",
        marker="o",
        markersize=1.1,
        rasterized=True,
    )
    axes.set_xlim(-1, parse(row.combination).frames)
    axes.tick_params(labelbottom=False)
    axes.grid(visible=False)


def _bars(axes: Axes, row: Row, colour: tuple) -> None:
    """A bar for each frame."""
    height = counts(row)
    axes.bar(range(len(height)), height, width=1, color=colour, linewidth=0)
    axes.set_xlim(-1, len(height))
    axes.set_xlabel("frame of the window")

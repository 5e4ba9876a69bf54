"""The temporal graph of a clip and the frames that each stage keeps, one panel a combination."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htpbench.records.rows import Row
from htpbench.report.figures.combinations import first, newest, short
from htpbench.report.figures.style import legend_below, save, titled
from htpbench.systems.combination import parse

LINKS, STAGES = "selection.links", "selection.stages"
COLUMNS = 3  # combinations side by side
LIMIT = 6  # combinations


def graph(
    rows: Iterable[Row], folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg; () where no pruner has a graph.

    Above, a point joins two frames that are linked in the first window; below, the frames that
    each stage keeps of the first windows.
    """
    rows = list(rows)
    links, stages = newest(rows, LINKS), newest(rows, STAGES)
    found = {name: row for name, row in links.items() if name in stages}
    if not found:
        return ()
    drawn, caption = first(found, LIMIT, subtitle)
    return save(lambda: _draw(drawn, stages, title, caption), folder, name)


def _draw(links: dict[str, Row], stages: dict[str, Row], title: str, subtitle: str) -> Figure:
    across = min(len(links), COLUMNS)
    bands = -(-len(links) // across)
    figure = titled(4.4 * bands, title, subtitle)
    sizes = {(parse(one).frames, max(window for window, _ in kept(stages[one]))) for one in links}
    shared: Any = "row" if len(sizes) == 1 else "none"
    panels = figure.subplots(
        2 * bands, across, squeeze=False, height_ratios=[2.4, 1.2] * bands, sharey=shared
    )
    names = dict(zip(links, short(links), strict=True))
    for index, (combination, row) in enumerate(links.items()):
        band, column = divmod(index, across)
        above, below = panels[2 * band, column], panels[2 * band + 1, column]
        above.set_title(textwrap.fill(names[combination], 100 // across))
        length = parse(combination).frames
        _links(above, row, length)
        _stages(below, kept(stages[combination]), length)
        if column == 0:
            above.set_ylabel("frame")
            below.set_ylabel("window")
    for unused in panels[2 * (bands - 1) :, len(links) - across * (bands - 1) :].flat:
        unused.set_axis_off()
    most = max(len(parse(name).schedule) for name in links)
    marks = [
        Line2D([], [], marker="|", linestyle="none", color=colour, label=f"kept at stage {stage}")
        for stage, colour in enumerate(seaborn.color_palette("colorblind")[:most])
    ]
    dot = Line2D([], [], marker=".", linestyle="none", color="0.25", label="linked")
    legend_below(figure, [dot, *marks])
    return figure


def kept(row: Row) -> dict[tuple[int, int], list[float]]:
    """(window, stage) -> the frames kept."""
    found: dict[tuple[int, int], list[float]] = {}
    for place, frame in zip(row.axis or (), row.value, strict=True):  # type: ignore[arg-type]
        window, stage = place.removeprefix("window ").split(", stage ")
        found.setdefault((int(window), int(stage)), []).append(frame)
    return found


def _links(axes: Axes, row: Row, length: int) -> None:
    """The graph as a matrix, each link on both sides of the diagonal."""
    one, other = numpy.array(row.axis or (), dtype=int), numpy.array(row.value, dtype=int)
    across, up = numpy.concatenate((one, other)), numpy.concatenate((other, one))
    axes.plot(across, up, color="0.25", linestyle="none", marker="s", markersize=0.9)
    axes.set_xlim(-1, length)
    axes.set_ylim(length, -1)
    axes.set_aspect("equal", adjustable="box")
    axes.tick_params(labelbottom=False)
    axes.grid(visible=False)


def _stages(axes: Axes, found: dict[tuple[int, int], list[float]], length: int) -> None:
    """Each window a band, each stage a line of marks in it; the first stage above."""
    windows, stages = (max(place) + 1 for place in zip(*found, strict=True))
    for (window, stage), frames in found.items():
        axes.plot(
            frames,
            [window + (stage - (stages - 1) / 2) * 0.8 / stages] * len(frames),
            color=seaborn.color_palette("colorblind")[stage],
            linestyle="none",
            marker="|",
            markersize=13 / stages,
            markeredgewidth=0.9,
        )
    axes.set_xlim(-1, length)
    axes.set_ylim(windows - 0.5, -0.5)
    axes.set_yticks(range(windows))
    axes.set_xlabel("frame of the window")
    axes.grid(visible=False)

"""Where the time of a forward pass goes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy
import seaborn
from matplotlib.figure import Figure

from htpbench.records.rows import Row
from htpbench.report.figures.combinations import first, newest
from htpbench.report.figures.style import legend_below, save, titled

METRIC = "time.breakdown"
PARTS = {  # of a row: its name, its colour, and its hatch, which a print without colours needs
    "embed": ("embedding", 4, "..."),
    "blocks": ("blocks", 0, ""),
    "head": ("head", 9, "xxx"),
    "rest": ("the network: embedding, blocks, head", 0, ""),
    "prune": ("pruning", 1, "////"),
    "recover": ("recovering", 2, r"\\\\"),
}
LIMIT = 50  # bars


def breakdown(
    rows: Iterable[Row], folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg: a bar a combination, in ms; () where none was timed.

    Its length is the instrumented pass; `time.overhead` says how much slower than a plain one.
    """
    found = newest(rows, METRIC)
    if not found:
        return ()
    shown, caption = first(found, LIMIT, subtitle)
    return save(lambda: _draw(shown, title, caption), folder, name)


def _draw(found: dict[str, Row], title: str, subtitle: str) -> Figure:
    figure = titled(0.9 + 0.19 * len(found), title, subtitle)
    axes = figure.subplots()
    shares: list[dict] = [
        dict(zip(row.axis, row.value, strict=True))  # type: ignore
        for row in found.values()
    ]
    colours = seaborn.color_palette("colorblind")
    start = numpy.zeros(len(found))
    bars = []
    for part, (called, colour, hatch) in PARTS.items():
        if any(part in each for each in shares):
            length = numpy.array([each.get(part, 0.0) for each in shares]) * 1e3  # ms
            look = {"color": colours[colour], "hatch": hatch, "edgecolor": "white"}
            bars.append(axes.barh([*found], length, 0.72, start, label=called, linewidth=0, **look))
            start += length
    axes.margins(y=0.3 / len(found))
    axes.invert_yaxis()  # the first combination on top
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("one forward pass (ms)")
    legend_below(figure, bars)
    return figure

"""What figures share: their look, and files that are the same bytes for the same picture."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import seaborn
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from htpbench.outside.drafts import write_file
from htpbench.outside.printable import shown
from htpbench.report.drawn import FURTHER

WIDTH = 7.2  # inches, a page's text: sizes below are what a reader of the paper sees
SMALL = 7  # points; nothing is smaller
# The font is one that matplotlib ships; identifiers in SVG are fixed.
STYLE: dict[Any, Any] = {
    **seaborn.axes_style("whitegrid"),
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.title_fontsize": SMALL,
    "hatch.linewidth": 0.5,
    "grid.color": "0.9",
    "svg.hashsalt": "htpbench",
    "pdf.fonttype": 42,  # outlines that publishers take
}
# Format -> what would make the files of two runs differ.
METADATA: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
}


def save(draw: Callable[[], Figure], folder: Path, name: str) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg of the figure that `draw` makes in our style."""
    contents: dict[str, bytes] = {}
    with matplotlib.rc_context():
        matplotlib.rcdefaults()  # whatever the user has set elsewhere
        matplotlib.rcParams.update(STYLE)
        figure = draw()
        for kind in ("png", "svg", *FURTHER.get()):
            content = io.BytesIO()
            figure.savefig(content, format=kind, dpi=200, metadata=METADATA[kind])
            contents[kind] = content.getvalue()
    return tuple(write_file(folder / f"{name}.{kind}", text) for kind, text in contents.items())


def titled(height: float, title: str, subtitle: str, width: float = WIDTH) -> Figure:
    """An empty figure of `width` x `height` inches below its title and its conditions."""
    bold = textwrap.wrap(shown(title), int(11.5 * width))
    lines = textwrap.wrap(shown(subtitle), int(19 * width))
    heading = 0.12 + 0.19 * len(bold) + 0.14 * len(lines)  # inches
    figure = Figure(figsize=(width, height + heading))
    whole = height + heading
    figure.set_layout_engine("constrained", rect=(0, 0, 1, height / whole), w_pad=0.06, h_pad=0.06)
    at, below = 1 - 0.08 / whole, 1 - (0.11 + 0.19 * len(bold)) / whole
    figure.text(0.01, at, "\n".join(bold), fontsize=10, weight="bold", va="top")
    figure.text(0.01, below, "\n".join(lines), fontsize=SMALL, color="0.3", va="top")
    return figure


def legend_below(figure: Figure, *lines: Sequence[Artist], columns: int = 6) -> None:
    """One legend under all panels; each of `lines` begins a line, of `columns` at the most.

    Fewer where names are long. Matplotlib fills columns first and knows no line breaks: what is
    left of a line is blank.
    """
    columns = min(columns, max(map(len, lines)))
    cells = in_columns(lines, columns)
    while columns > 1 and width_of(cells, columns) > figure.get_figwidth():
        columns -= 1
        cells = in_columns(lines, columns)
    down = [cell for column in range(columns) for cell in cells[column::columns]]
    figure.legend(handles=down, loc="outside lower center", ncols=columns, frameon=False)


def in_columns(lines: Sequence[Sequence[Artist]], columns: int) -> list[Artist]:
    """The cells of a legend line by line, each of `lines` filled up with blanks."""
    cells: list[Artist] = []
    for line in lines:
        blank = [Line2D([], [], linestyle="none", label=" ")] * (-len(line) % columns)
        cells += [*line, *blank]
    return cells


def width_of(cells: list[Artist], columns: int) -> float:
    """About how many inches a legend takes: a mark and the longest name of each column."""
    names = [str(cell.get_label()) for cell in cells]
    return sum(0.55 + 0.045 * max(map(len, names[i::columns])) for i in range(columns))

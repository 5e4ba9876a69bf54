"""What figures share: their look, and files that are the same bytes for the same picture."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import seaborn
from matplotlib.figure import Figure

from htpbench.report.tables import write_file

# The font is one that matplotlib ships; identifiers in SVG are fixed.
STYLE: dict[Any, Any] = {
    **seaborn.axes_style("whitegrid"),
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "legend.fontsize": 8,
    "grid.color": "0.9",
    "svg.hashsalt": "htpbench",
}


def save(draw: Callable[[], Figure], folder: Path, name: str) -> tuple[Path, Path]:
    """Write <name>.png and <name>.svg of the figure that `draw` makes in our style."""
    png, svg = io.BytesIO(), io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure = draw()
        figure.savefig(png, format="png", dpi=200, metadata={"Software": None})
        figure.savefig(svg, format="svg", metadata={"Date": None})
    return (
        write_file(folder / f"{name}.png", png.getvalue()),
        write_file(folder / f"{name}.svg", svg.getvalue()),
    )

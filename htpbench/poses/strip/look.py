"""How a strip looks: colours, sizes, and bytes of a figure; as the figures of reports do."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

WIDTH = 7.2  # inches, a page's text: sizes below are what a reader of the paper sees
TEXT, SMALL = 8, 7  # points; nothing is smaller
LEFT, RIGHT, MIDDLE = "#de8f05", "#0173b2", "#4d4d4d"  # told apart by those who see few colours
TRUTH, KEPT, DROPPED = "#d2d2d2", "#027a5a", "#dedede"
PALENESS = 0.5  # of a frame that was dropped
MARK = "htpbench view strip"  # in every file, so that it may be replaced
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # which matplotlib ships
    "font.size": TEXT,
    "svg.hashsalt": "htpbench",
    "pdf.fonttype": 42,  # fonts go into the file as they are, and text can be searched
}
FORMATS: dict[str, dict[str, Any]] = {  # how each is told who made it, and no date
    ".png": {"dpi": 200, "metadata": {"Software": MARK}},
    ".svg": {"metadata": {"Creator": MARK, "Date": None}},
    ".pdf": {"metadata": {"Creator": MARK, "CreationDate": None}},
}


def pale(colour: str) -> str:
    """A colour, nearer to the white of the paper."""
    channels = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(one + (255 - one) * PALENESS):02x}" for one in channels)


def encoded(figure: Figure, path: Path) -> bytes:
    """A figure as the bytes of a file that is called so."""
    held = io.BytesIO()
    figure.savefig(held, format=path.suffix.lower()[1:], **FORMATS[path.suffix.lower()])
    return held.getvalue()


def in_style() -> None:
    """Our style whatever the user has set elsewhere; within `matplotlib.rc_context`."""
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)

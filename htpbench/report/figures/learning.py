"""The score of a network while it was trained, against its steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import seaborn
from matplotlib.figure import Figure

from htpbench.outside import files
from htpbench.report.figures.style import save, titled


def learning(cards: Mapping[str, Path], folder: Path, name: str) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg of trainings by their names and the cards of their weights.

    A ring is the best score, whose weights are kept too.
    """
    held = {named: files.load_json(path) for named, path in cards.items()}
    return save(lambda: _draw(held), folder, name)


def _draw(cards: Mapping[str, dict]) -> Figure:
    chosen_on = {card["checked_on"]["data"] for card in cards.values()}
    figure = titled(2.8, "MPJPE while training", f"scored on {', '.join(sorted(chosen_on))}")
    axes = figure.subplots()
    colours = seaborn.color_palette("colorblind", len(cards))
    for (name, card), colour in zip(cards.items(), colours, strict=True):
        steps, errors = zip(*card["history"], strict=True)
        axes.plot(steps, errors, marker=".", color=colour, label=name)
        best = card["best"]
        axes.plot(best["step"], best["mpjpe"], "o", color=colour, fillstyle="none", markersize=9)
    axes.set_xlabel("steps")
    axes.set_ylabel("MPJPE (mm)")
    axes.legend(frameon=False)
    return figure

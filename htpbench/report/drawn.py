"""Figures one by one: what cannot be drawn is told and takes nothing else with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

Figure = tuple[str, Callable[[], Iterable[Path]]]  # its name; what draws and writes it


def drawn(figures: Iterable[Figure]) -> tuple[list[Path], list[str]]:
    """The files of the figures that could be drawn, and a line for each that could not."""
    files: list[Path] = []
    told: list[str] = []
    try:
        for name, draw in figures:
            try:
                files += draw()
            except Exception as error:  # the tables stand, whatever is wrong with a figure
                told.append(f"the figure {name} could not be drawn: {said(error)}")
    except Exception as error:  # nor with what all are drawn with
        told.append(f"no further figure could be drawn: {said(error)}")
    return files, told


def said(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())

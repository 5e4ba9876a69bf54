"""Figures one by one: what cannot be drawn is told and takes nothing else with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from htpbench.errors import BenchError

FURTHER: ContextVar[tuple[str, ...]] = ContextVar("further", default=())  # formats of figures
Figure = tuple[str, Callable[[], Iterable[Path]]]  # its name; what draws and writes it


@dataclass
class Drawn:
    """What became of figures."""

    files: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # a line for each that could not be drawn
    refused: list[BenchError] = field(default_factory=list)  # of those that could not be written


@contextmanager
def further(formats: Sequence[str]) -> Iterator[None]:
    """Figures are written in these formats too, beside PNG and SVG, for a while."""
    before = FURTHER.set(tuple(formats))
    try:
        yield
    finally:
        FURTHER.reset(before)


def drawn(figures: Iterable[Figure]) -> Drawn:
    """Draw all figures that can be drawn."""
    found = Drawn()
    try:
        for name, draw in figures:
            try:
                found.files += draw()
            except BenchError as error:
                found.refused.append(error)
            except Exception as error:  # the tables stand, whatever is wrong with a figure
                found.problems.append(f"the figure {name} could not be drawn: {said(error)}")
    except Exception as error:  # or with what all are drawn with
        found.problems.append(f"no further figure could be drawn: {said(error)}")
    return found


def said(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())

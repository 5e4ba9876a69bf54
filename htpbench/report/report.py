"""What a terminal shows of a study, and the files that were written of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import pandas
from rich.console import RenderableType

from htpbench.report.drawn import Drawn, Figure, drawn
from htpbench.report.pages import Page


@dataclass
class Report(Drawn):
    """What a terminal shows of a study, and what became of its files."""

    shown: list[RenderableType] = field(default_factory=list)
    finding: str = ""  # in one sentence

    def draw(self, page: Page, figures: Iterable[Figure]) -> None:
        """Write a page, then draw the figures and write it with them: none can take it away."""
        self.files += page.write()
        found = drawn(figures)
        if found.files:
            page.write(found.files)
        self.files += found.files
        self.problems += found.problems
        self.refused += found.refused


def texts(parts: Iterable[pandas.DataFrame]) -> list[pandas.DataFrame]:
    """The tables that hold anything, as texts."""
    return [part.astype(str) for part in parts if not part.empty]

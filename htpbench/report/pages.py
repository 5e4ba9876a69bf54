"""A report as Markdown and as HTML, both beside its figures: title, finding, tables, provenance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pandas

from htpbench.outside.printable import in_markdown
from htpbench.report.page import write_page
from htpbench.report.text import markdown, write_text


@dataclass(frozen=True)
class Page:
    """What one page says: tables of texts (`parts`), and below where they are from (`told`)."""

    folder: Path
    name: str  # of its files
    title: str
    finding: str
    parts: Sequence[pandas.DataFrame]
    told: Sequence[str]
    origins: Mapping[tuple[str, str], str]

    def write(self, figures: Sequence[Path] = ()) -> list[Path]:
        """Write <name>.md and <name>.html with the figures that there are."""
        about = self.parts, self.folder, self.name, self.title, [self.finding], self.origins
        return [
            write_text(self.folder / f"{self.name}.md", self.markdown(figures)),
            write_page(*about, figures, self.told),
        ]

    def markdown(self, figures: Sequence[Path]) -> str:
        """The page as a repository shows it."""
        drawn = [f"![{one.stem}]({quote(one.name)})" for one in figures if one.suffix == ".png"]
        parts = [
            f"# {in_markdown(self.title)}",
            in_markdown(self.finding),
            *drawn[:1],
            "\n".join(map(markdown, self.parts)).strip(),
            *drawn[1:],
            "\n".join(f"* {in_markdown(line)}" for line in self.told if line),
        ]
        return "\n\n".join(filter(None, parts)) + "\n"

"""Tables as Markdown and CSV, written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas

from htpbench.outside.drafts import write_file
from htpbench.outside.printable import as_code, in_markdown, shown
from htpbench.systems.metric import Metric

MARK = "~"  # leads a time that is not to be trusted; pages show it in grey
NUMBER = re.compile(r"(~?[-+]?[\d.]+(?:e[-+]?\d+)?)(?: ([\[(].*[\])]))?")  # and what it is between


def numeric(column: pandas.Series) -> bool:
    """Whether a column of texts holds numbers alone, with or without their intervals."""
    return all(NUMBER.fullmatch(text) for text in column if text)


def write_csv(table: pandas.DataFrame, folder: Path, name: str) -> Path:
    """Write <name>.csv: raw numbers in base units."""
    return write_text(folder / f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))


def raw(table: pandas.DataFrame) -> pandas.DataFrame:
    """A `sweep_table` as CSV has it, its heads with their units.

    Columns without any number are left out: more meters may be installed than a study asks.
    """
    heads = {name: head for metric in table.attrs["metrics"] for name, head in columns(metric)}
    return table.dropna(axis="columns", how="all").rename(columns=heads)


def columns(metric: Metric) -> Iterator[tuple[str, str]]:
    """The columns of a metric in a `sweep_table`, and what stands above them in CSV."""
    yield metric.name, f"{metric.head} ({metric.unit})"
    for bound in metric.bounds:
        yield bound, f"{metric.head}, {bound.rpartition('.')[2]} ({metric.unit})"


def write_text(path: Path, text: str) -> Path:
    """Write a text of which nothing commands the terminal that shows it; see `write_file`."""
    return write_file(path, shown(text).encode())


def markdown(table: pandas.DataFrame) -> str:
    """A pipe table; combinations as code, for Markdown would strike out what stands between ~."""
    texts = {
        in_markdown(str(head)).replace("|", r"\|"): column.map(
            as_code if head == "combination" else in_markdown
        )
        for head, column in table.astype(str).items()
    }
    cells = pandas.DataFrame(texts).replace(r"\|", r"\\|", regex=True)
    return f"{cells.to_markdown(index=False, disable_numparse=True)}\n"

"""A report as an HTML page beside its figures; each cell says where it came from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from urllib.parse import quote

import pandas

from htpbench.report.text import MARK, numeric, write_text

SHEET = Path(__file__).with_name("page.css").read_text().strip()
SORTED = Path(__file__).with_name("sort.js").read_text().strip()


def write_page(
    parts: Iterable[pandas.DataFrame],
    folder: Path,
    name: str,
    title: str,
    captions: Iterable[str] = (),
    origins: Mapping[tuple[str, str], str] | None = None,
    figures: Iterable[Path] = (),
    told: Iterable[str] = (),
) -> Path:
    """Write <name>.html: title, captions, tables of texts among SVG figures, what is told below.

    `origins` maps (combination, column) to what a cell says when the pointer rests on it; of a
    printed table (row, column), for it may name a combination twice.
    """
    pictures = [picture(path) for path in figures if path.suffix == ".svg"]
    body = [
        f"<h1>{escape(title)}</h1>",
        *(f"<p>{escape(caption)}</p>" for caption in captions if caption),
        *pictures[:1],
        *(table(part, origins or {}) for part in parts),
        *pictures[1:],
        *(f"<p>{escape(line)}</p>" for line in told if line),
        f"<script>\n{SORTED}\n</script>",
    ]
    return write_text(folder / f"{name}.html", whole(title, body, SHEET))


def whole(title: str, body: Iterable[str], sheet: str) -> str:
    """A page of these elements."""
    page = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{sheet}\n</style>",
        "</head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
    ]
    return "\n".join(page) + "\n"


def table(part: pandas.DataFrame, origins: Mapping[tuple[str, str], str]) -> str:
    """One table of texts; the combination heads its line."""
    part = part.astype(str)
    kinds = {str(head): kind(column) for head, column in part.items()}
    heads = "".join(f'<th scope="col"{kinds[head]}>{raised(head)}</th>' for head in kinds)
    lines = [
        f"<tr>{''.join(cell(line, head, kinds[head], origins) for head in kinds)}</tr>"
        for line in part.to_dict("records")
    ]
    above = ['<div class="wide"><table>', f"<thead><tr>{heads}</tr></thead>", "<tbody>"]
    return "\n".join([*above, *lines, "</tbody>", "</table></div>"])


def kind(column: pandas.Series) -> str:
    """The class of a column's cells: numbers (none), words, or longer texts."""
    if numeric(column):
        return ""
    return f' class="{"long" if column.str.len().max() > 40 else "text"}"'


def raised(text: str) -> str:
    """A text in which powers stand above."""
    return re.sub(r"\^(\d+)", r"<sup>\1</sup>", escape(text))


def cell(line: Mapping, head: str, kind: str, origins: Mapping[tuple[str, str], str]) -> str:
    """One cell: a combination, a number with its interval in small, or a longer text."""
    text = line[head]
    if head == "combination":
        return f'<th scope="row"><code>{escape(text)}</code></th>'
    origin = origins.get((line.get("row", line.get("combination", "")), head))
    title = f' title="{escape(origin)}"' if origin else ""
    if kind:
        return f"<td{kind}{title}>{escape(text)}</td>"
    number, bracket, interval = text.partition(" [")
    small = f" <small>[{escape(interval)}</small>" if bracket else ""
    grey = ' class="doubtful"' if number.startswith(MARK) else ""
    return f"<td{grey}{title}>{escape(number)}{small}</td>"


def picture(path: Path) -> str:
    """A figure, which lies beside the page; its file's name says what it is."""
    return f'<figure><img alt="{escape(path.stem)}" src="{quote(path.name)}"></figure>'

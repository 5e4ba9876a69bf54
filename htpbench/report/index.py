"""The index of reports: each study with what it found, its picture, and where its rows are from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from htpbench.outside.printable import in_markdown
from htpbench.records.results import Results
from htpbench.records.row import Row
from htpbench.report.origin import days
from htpbench.report.page import SHEET, whole
from htpbench.report.text import write_text

TITLE = "Reports"
CARDS = """
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(26em, 100%), 1fr));
  gap: 1.5em; margin-top: 1.5em; }
article { border: 1px solid var(--line); border-radius: 6px; padding: 1em; display: flex;
  flex-direction: column; gap: 0.5em; }
article h2 { font-size: 1.05em; margin: 0; }
article p.found { color: inherit; }
article p.where { font-size: 0.85em; margin-top: auto; }
article img { border-radius: 4px; }
""".strip()


@dataclass(frozen=True)
class Entry:
    """What the index says of one study; files lie in a folder of its name."""

    name: str
    title: str
    finding: str
    files: Sequence[Path]
    where: str

    def first(self, suffix: str) -> str:
        """The first of its files of a kind, as the index names it; "" where there is none.

        One that is called as the study comes first.
        """
        found = [path.name for path in self.files if path.suffix == suffix]
        found.sort(key=lambda name: name != f"{self.name}{suffix}")
        return quote(f"{self.name}/{found[0]}") if found else ""


def where_from(rows: Iterable[Row]) -> str:
    """The machines, days and rows of a report in one line."""
    rows = Results.of(rows)
    if not rows.rows:
        return "printed numbers alone"
    known = dict.fromkeys(row.environment for row in rows)
    facts = [rows.environments.get(one, {}) for one in known]
    machines = dict.fromkeys(f"{one.get('machine')} ({one.get('device')})" for one in facts)
    return f"{len(rows)} rows of {', '.join(machines)}, {days(rows)}"


def write_index(
    entries: Sequence[Entry], reports: Path, further: Sequence[Path] = ()
) -> tuple[Path, Path]:
    """Write index.md and index.html, a study after the other; the latter leads to further pages."""
    return (
        write_text(reports / "index.md", markdown(entries)),
        write_text(reports / "index.html", page(entries, further)),
    )


def markdown(entries: Sequence[Entry]) -> str:
    """The index for a repository's pages."""
    parts = [f"# {TITLE}"]
    for one in entries:
        parts.append(f"## [{one.name}]({one.first('.md')}): {in_markdown(one.title)}")
        parts += [in_markdown(one.finding)] if one.finding else []
        parts += [f"![{in_markdown(one.title)}]({one.first('.png')})"] if one.first(".png") else []
        parts.append(f"*{in_markdown(one.where)}*")
    return "\n\n".join(parts) + "\n"


def page(entries: Sequence[Entry], further: Sequence[Path] = ()) -> str:
    """The index for a browser, narrow or wide, light or dark."""
    cards = [card(one) for one in entries]
    links = [f'<p><a href="{one.name}">All networks on one page</a></p>' for one in further]
    body = [f"<h1>{TITLE}</h1>", *links, '<main class="cards">', *cards, "</main>"]
    return whole(TITLE, body, f"{SHEET}\n{CARDS}")


def card(one: Entry) -> str:
    """One study."""
    link = one.first(".html")
    parts = [f'<h2><a href="{link}">{escape(one.title)}</a></h2>']
    if one.first(".svg"):
        image = f'<img loading="lazy" alt="{escape(one.title)}" src="{one.first(".svg")}">'
        parts.append(f'<a href="{link}">{image}</a>')
    if one.finding:
        parts.append(f'<p class="found">{escape(one.finding)}</p>')
    parts.append(f'<p class="where">{escape(one.where)}</p>')
    return "\n".join(["<article>", *parts, "</article>"])

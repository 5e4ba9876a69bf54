"""Whom to cite for a study: BibTeX of its systems, data and paper, and of htpbench."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

from htpbench.study.study import Study
from htpbench.systems.cards import Card
from htpbench.systems.registry import DATASETS, PRUNERS, RECOVERERS, Registry

# "Authors: Title. VENUE YEAR.", as cards write it.
WRITTEN = re.compile(r"([^:.]+): (.+?)[.?] ([^.]+(?:\.\d+)?),? (\d{4})\.")
JOURNALS = ("TPAMI", "TMM", "arXiv")
OF_TABLES, OF_HTP = "tps", "htp"  # pruners of the papers that tables and claims are from
OURS = """@software{{htpbench,
  author = {{{{The htpbench authors}}}},
  title = {{{{htpbench: one harness for token pruning in video pose transformers}}}},
  version = {{{}}},
}}"""


def bibliography(study: Study, version: str) -> str:
    """The entries, each once: this version of htpbench, then papers by what they are cited for."""
    found: dict[str, list[str]] = {}  # citation -> what it is of
    sources: dict[str, str] = {}
    for what, citation, source in works(study):
        found.setdefault(citation, []).append(what)
        sources |= {citation: source} if source else {}
    parts = [
        f"% {', '.join(dict.fromkeys(of))}\n{entry(citation, sources.get(citation))}"
        for citation, of in found.items()
    ]
    return "\n\n".join([OURS.format(version), *parts])


def works(study: Study) -> Iterator[tuple[str, str, str | None]]:
    """(what it is, its citation, its address) of all that a study takes; "" for no citation."""
    if study.table is not None:
        yield f"Table {study.table}", PRUNERS.card(OF_TABLES).citation, None
    if study.claims:
        yield "claims", PRUNERS.card(OF_HTP).citation, None
    for registry, name in dict.fromkeys(systems(study)):
        card: Card = registry.card(name)
        yield f"{registry.kind} {name}", card.citation, card.source
    for source in study.evaluation.sources:
        scheme, colon, _ = source.partition(":")
        if colon:
            citation = getattr(DATASETS.load(scheme.replace("-", "_")), "citation", "")
            yield f"data {scheme}", citation, None


def systems(study: Study) -> Iterator[tuple[Registry, str]]:
    """The systems that a study lists or searches."""
    for one in (study.reference_combination(), *study.parsed(), *study.searched()):
        yield from one.systems()
    if study.search:
        yield from product([PRUNERS], (part.name for part in study.search.choosing))
        yield from product([RECOVERERS], (part.name for part in study.search.recovering))


def entry(citation: str, source: str | None) -> str:
    """A citation as BibTeX; a comment where there is none."""
    if not citation:
        return "% names no paper"
    found = WRITTEN.fullmatch(citation)
    if not found:
        return f"@misc{{{key(citation)},\n  note = {{{citation}}},\n}}"
    authors, title, venue, year = found.groups()
    journal = venue.split()[0] in JOURNALS
    kind, place = ("article", "journal") if journal else ("inproceedings", "booktitle")
    names = [f"{{{name}}}" if " " in name else name for name in authors.split(", ")]
    fields = {
        "author": " and ".join(names),
        "title": f"{{{title}}}",
        place: venue,
        "year": year,
        **({"url": source} if source else {}),
    }
    lines = [f"  {name} = {{{text}}}," for name, text in fields.items()]
    return "\n".join([f"@{kind}{{{key(f'{names[0]}{year}{title}')},", *lines, "}"])


def key(text: str) -> str:
    """An entry's name: letters and digits of the first word."""
    return re.sub(r"[^a-z0-9]", "", re.split(r"[\s:-]", text.lower(), maxsplit=1)[0]) or "work"

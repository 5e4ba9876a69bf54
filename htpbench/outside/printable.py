"""Text as it may leave: nothing in it commands a terminal, Markdown or a browser."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

KEPT = frozenset("\n\t")
# What Markdown would obey: marks of emphasis only where they may open it, brackets of a link, what
# makes an address one.
MARKS = re.compile(r"[\\`~]|\*(?=\S)|(?<![^\W_])_(?=\S)|\](?=\()|:(?=//)|(?<=www)\.")
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def shown(text: str) -> str:
    """The text, its control characters and what no font has as `\\x1b` and the like.

    Escape bytes move the cursor and colour what follows, marks of direction reorder it.
    """
    if text.isprintable():
        return text
    return "".join(sign if is_shown(sign) else ascii(sign)[1:-1] for sign in text)


def is_shown(sign: str) -> bool:
    """Whether a terminal shows a character as it is; line breaks and spaces of any width are."""
    return sign.isprintable() or sign in KEPT or unicodedata.category(sign) == "Zs"


def in_markdown(text: str) -> str:
    """The text on one line as Markdown shows it: no tags, no links, no emphasis."""
    return MARKS.sub(r"\\\g<0>", one_line(text).translate(ENTITIES))


def as_code(text: str) -> str:
    """The text on one line as code in Markdown, whatever backticks are in it; "" stays."""
    text = one_line(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    apart = " " * ("`" in text)
    return f"{fence}{apart}{text}{apart}{fence}" if text else ""


def one_line(text: str) -> str:
    """The text with spaces for line breaks."""
    return re.sub(r"\s*\n\s*", " ", text)


def first_of(things: Sequence[object]) -> str:
    """The first of some things, and how many more there are."""
    return f"{things[0]}{f' and {len(things) - 1} more' if things[1:] else ''}"

"""URLs as people may see them."""

from __future__ import annotations

import re


def hidden(text: str) -> str:
    """A URL, or one word of a command line, without its user, its password and its secrets.

    A password may hold any character, `@` and `/` too: all up to the last `@` is left out.
    """
    text = re.sub(r"://.*@", "://***@", text, flags=re.DOTALL)
    return re.sub(r"(?i)(password|passfile)=[^&]*", r"\1=***", text)

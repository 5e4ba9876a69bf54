"""One HTML file of tracks: no network, and nothing of a file's text becomes markup or script."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path

from htpbench.errors import BenchError
from htpbench.outside.drafts import write_file
from htpbench.outside.printable import one_line, shown
from htpbench.poses.page.packing import scene
from htpbench.poses.replacing import replaceable
from htpbench.poses.track import Track

SCRIPTS = ("data.js", "figure.js", "image.js", "charts.js", "view.js")
MARK = '<meta name="generator" content="htpbench view">'  # view.html has it


def write_page(path: Path, tracks: Sequence[Track], turn: float = 0.0) -> Path:
    """Write the page of tracks on one clock; BenchError as in `check`."""
    check(path)
    return write_file(path, page(tracks, turn).encode(), "choose another --out")


def check(path: Path) -> None:
    """BenchError where a path is another's file, or ends otherwise."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise BenchError(f"--out {path}: expected a path that ends in .html")
    replaceable(path, MARK.encode(), "page")


def page(tracks: Sequence[Track], turn: float = 0.0) -> str:
    """The page as a text.

    A browser runs this script alone, by its hash; data is JSON in which no tag can begin or end.
    """
    script = "\n".join(template(name) for name in SCRIPTS)
    style = template("view.css")
    data = json.dumps(scene(tracks, turn), ensure_ascii=False, allow_nan=False)
    parts = {
        "title": escape(one_line(shown(tracks[0].name))),
        "policy": f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}",
        "style": style,
        "script": script,
        "data": data.translate({ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}),
    }
    return re.sub(r"{{(\w+)}}", lambda found: parts[found[1]], template("view.html"))


def template(name: str) -> str:
    """A file beside this one."""
    return files("htpbench.poses.page").joinpath(name).read_text("utf-8")


def digest(text: str) -> str:
    """How a policy names what may run."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"

"""How docs/ becomes a site: `make docs`, then docs/_build/index.html."""

import re
import sys
from pathlib import Path

from htpbench import __version__

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))
REPOSITORY = "https://github.com/htpbench/htpbench/blob/main/"
LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")

project, author, release = "htpbench", "The htpbench authors", __version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme = "furo"
html_title = f"htpbench {__version__}"
html_show_sphinx = False
myst_heading_anchors = 3
exclude_patterns = ["_build", "reference/*.part.md"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"


def outside(app, docname, source):
    """What lies beside docs/ in the repository is shown there: a site has no such files."""
    folder = (DOCS / docname).parent

    def replaced(match):
        text, target, anchor = match.groups()
        place = (folder / target).resolve()
        if place.is_relative_to(DOCS) or not place.exists():
            return match[0]
        return f"[{text}]({REPOSITORY}{place.relative_to(DOCS.parent)}{anchor or ''})"

    source[0] = LINK.sub(replaced, source[0])


def setup(app):
    """Write the pages that are made of the code, and mend links."""
    from reference_pages import write

    write(DOCS / "reference")
    app.connect("source-read", outside)

"""The verb that says whom to cite."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from htpbench.cli.data import Data
from htpbench.cli.shared import app


@app.command(sort_key=7.6)
def cite(
    study: Annotated[str, Parameter(help="A shipped study or a .toml file.")],
    *,
    data: Data = None,
) -> None:
    """Print BibTeX of exactly the systems, data and papers that a study takes."""
    from htpbench import __version__
    from htpbench.outside.printable import shown
    from htpbench.report.citations import bibliography
    from htpbench.study.loading import load

    print(shown(bibliography(load(study).with_overrides(data, None), __version__)))

"""The verb that says how far a study is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from htpbench.cli.shared import RowsFolder, app, out, reread


@app.command(sort_key=7.1)
def status(
    study: Annotated[str, Parameter(help="A shipped study or a .toml file.")],
    *,
    results: RowsFolder = Path("results"),
) -> None:
    """Say what is measured of a study, what failed and what is missing, from rows alone."""
    from htpbench.report.console import plain_lines
    from htpbench.report.current import current
    from htpbench.report.index import where_from
    from htpbench.report.printed import printing
    from htpbench.report.progress import progress_table, said
    from htpbench.study.loading import load

    asked, everything = load(study), reread(results)
    asked = asked if asked.table is None else printing(asked)
    rows = everything.only(current(asked, everything))
    table = progress_table(asked, rows)
    out.print(plain_lines(table))
    out.print(f"{asked.name}: {said(table)}", highlight=False, markup=False, soft_wrap=True)
    if rows.rows:
        out.print(where_from(rows), highlight=False, markup=False, soft_wrap=True)

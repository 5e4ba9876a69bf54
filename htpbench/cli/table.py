"""The verb that prints one table for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from htpbench.cli.shared import RowsFolder, app, reread
from htpbench.errors import BenchError


@app.command(sort_key=7.2)
def table(
    study: Annotated[str, Parameter(help="A shipped study or a .toml file.")],
    *,
    columns: Annotated[
        list[str], Parameter(negative="", help="cost.flops, accuracy.mpjpe, ...: in this order.")
    ],
    format: Literal["latex", "markdown", "csv"] = "latex",
    caption: Annotated[str | None, Parameter(help="Of the LaTeX table.")] = None,
    label: Annotated[str | None, Parameter(help="Of the LaTeX table, as tab:demo.")] = None,
    results: RowsFolder = Path("results"),
) -> None:
    """Print a study's networks with chosen columns, the best of each in bold (booktabs)."""
    from htpbench.outside.printable import shown
    from htpbench.report import chosen
    from htpbench.report.build import networks_table
    from htpbench.study.loading import load

    if format != "latex" and (caption or label):
        raise BenchError(f"--caption and --label are of LaTeX; leave them out of {format}")
    found = networks_table(load(study), reread(results))
    metrics = chosen.chosen_columns(found, columns)
    if format == "latex":
        text = chosen.typeset(found, metrics, caption, label)
    elif format == "markdown":
        text = chosen.as_markdown(found, metrics)
    else:
        text = chosen.in_units(found, metrics).to_csv(index=False)
    print(shown(text), end="")

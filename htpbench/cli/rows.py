"""The verb that hands rows on, to whatever reads tables."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from htpbench.cli.shared import RowsFolder, app, out, reread
from htpbench.errors import BenchError

if TYPE_CHECKING:
    import pandas


@app.command(sort_key=7.3)
def rows(
    study: Annotated[
        str | None, Parameter(help="Those of its report alone: a shipped study or a .toml file.")
    ] = None,
    *,
    format: Literal["csv", "json", "parquet"] = "csv",
    out_: Annotated[
        Path | None, Parameter(name="--out", help="A file. Default: standard output.")
    ] = None,
    results: RowsFolder = Path("results"),
) -> None:
    """Write rows as one tidy table: a line a number, what it is of and where from in columns."""
    from htpbench.outside.drafts import write_file
    from htpbench.outside.printable import shown
    from htpbench.report.current import current
    from htpbench.report.tidy import tidy
    from htpbench.study.loading import load

    report = load(study) if study else None  # first: it may import what rows name
    everything = reread(results)
    table = tidy(everything.only(current(report, everything)) if report else everything)
    if table.empty:
        raise BenchError("no rows; measure something, or name their folder with --results")
    if format == "parquet":
        if out_ is None:
            raise BenchError("--format parquet is no text; name a file with --out")
        content = parquet(table)
    elif format == "json":
        content = (table.to_json(orient="records", lines=True, double_precision=15) or "").encode()
    else:
        content = table.to_csv(index=False).encode()
    if out_ is None:
        print(shown(content.decode()), end="")
        return
    said = f"written: {write_file(out_, content)}, {len(table)} lines"
    out.print(said, highlight=False, markup=False, soft_wrap=True)


def parquet(table: pandas.DataFrame) -> bytes:
    """A table as Parquet; BenchError without pyarrow."""
    content = io.BytesIO()
    try:
        table.to_parquet(content, index=False)
    except ImportError as error:
        raise BenchError(
            "--format parquet needs pyarrow: pip install 'htpbench[parquet]'"
        ) from error
    return content.getvalue()

"""What `compare` does with two folders of results."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from htpbench.cli.shared import out, reread, warn
from htpbench.outside.printable import shown

if TYPE_CHECKING:
    from htpbench.study.study import Study


def compare_runs(
    a: str,
    b: str,
    metrics: Collection[str],
    study: Study | None,
    format: str,
    history: Path | None,
) -> None:
    """Tell what moved from run A to run B, and draw it over commits where that is asked for."""
    from htpbench.records.moved import moved
    from htpbench.report.comparison import render_runs
    from htpbench.report.current import current

    before, after = (reread(Path(each)) for each in (a, b))
    if study:
        before, after = (run.only(current(study, run)) for run in (before, after))
    found = moved(before, after, metrics)
    text = render_runs(found, a, b, format)
    out.print(text) if format == "table" else print(shown(text))
    if format == "csv":
        for remark in found.remarks:
            warn(remark)
    if history is None:
        return
    from htpbench.report.figures.history import history as draw
    from htpbench.report.history import history as over_commits

    places = [(name, one.metric) for name, one in found.which()]
    written = draw(over_commits([*before.rows, *after.rows], places), history)
    for path in written:
        out.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)
    if not written:
        warn("nothing drawn: nothing moved, or both runs are of one commit")

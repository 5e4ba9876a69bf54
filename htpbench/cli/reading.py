"""Verbs that read rows: reports, comparisons, the gate."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from htpbench.cli.data import Data
from htpbench.cli.shared import (
    OWN_REPORTS,
    Reports,
    RowsFolder,
    Weights,
    app,
    err,
    out,
    reported,
    reread,
    written,
)
from htpbench.errors import BenchError
from htpbench.outside.printable import shown


@app.command(sort_key=7)
def report(
    study: Annotated[str | None, Parameter(help="A shipped study or a .toml file.")] = None,
    *,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="Every shipped study, and their index.")
    ] = False,
    results: RowsFolder = Path("results"),
    reports: Reports = OWN_REPORTS,
) -> None:
    """Rebuild a study's tables (Markdown, CSV, LaTeX, HTML) and figures from its rows alone."""
    from htpbench.report.build import report_all
    from htpbench.study.loading import load, names

    if all_ == (study is not None):
        raise BenchError("name a study, or say --all")
    if study is not None:
        reported(load(study), reread(results), reports)
        return
    refused = []
    for each in report_all(map(load, names()), reread(results), reports):
        written(each)
        refused += each.refused
    if refused:
        raise refused[0]


@app.command(sort_key=8)
def compare(
    a: Annotated[str, Parameter(help="The combination to compare with.")],
    b: Annotated[str, Parameter(help="The combination that is judged.")],
    *,
    metric: Annotated[
        list[str] | None, Parameter(negative="", help="Default: all with an interval.")
    ] = None,
    study: Annotated[
        str | None, Parameter(help="Take the rows of its report alone: a name or a .toml file.")
    ] = None,
    format: Literal["table", "csv", "json", "markdown"] = "table",
    results: RowsFolder = Path("results"),
) -> None:
    """Say metric by metric whether B is better than A, the same, worse, or unsure, from rows.

    Exit codes: 0 all compared, 2 wrong usage, rows that are missing or conditions that differ.
    """
    from htpbench.records.verdicts import compare as judge
    from htpbench.report.comparison import render
    from htpbench.report.current import current
    from htpbench.study.loading import load
    from htpbench.systems.combination import parse

    report = load(study) if study else None  # first: it may import what is named here
    a, b = (text if text.startswith("control: ") else str(parse(text)) for text in (a, b))
    rows = reread(results)
    found, refused = judge(a, b, current(report, rows) if report else rows, metric or ())
    if found:
        text = render(found, a, b, format)
        out.print(text) if format == "table" else print(shown(text))
    if refused:
        raise BenchError("\n".join(refused))


@app.command(sort_key=9)
def check(
    *,
    study: Annotated[str, Parameter(help="A shipped study or a .toml file.")] = "gate",
    data: Data = None,
    weights: Weights = None,
    against: Annotated[
        Path | None,
        Parameter(help="Pinned rows. Default: the package's, or STUDY.pinned.jsonl."),
    ] = None,
    pin: Annotated[bool, Parameter(negative="", help="Write that file instead.")] = False,
    fail: Annotated[
        list[str] | None,
        Parameter(negative="", help="Another rule: METRIC:+NUMBER, accuracy.mpjve:+2%, ..."),
    ] = None,
) -> None:
    """Measure a study afresh; fail where cost or accuracy fell behind the pinned rows.

    Exit codes: 0 as pinned, 1 a regression, 2 wrong usage, 3 not measured, 4 an unreadable file.
    """
    from htpbench.gate import check as gate
    from htpbench.gate import pinned
    from htpbench.outside.progress import bar
    from htpbench.study.loading import load

    if pin and fail:
        raise BenchError("--pin judges nothing; leave --fail out")
    gated = load(study).with_overrides(data, weights)
    path = against or pinned.pinned_file(study)
    if pin:
        pinned.replaceable(path, {gated.name})  # measuring takes a minute
    with bar(err) as tick:
        if pin:
            pinned.write(path, gate.measure(gated, tick))
            code, said = 0, [f"pinned: {path}"]
        else:
            code, said = gate.check(gated, path, fail or [], tick)
    for each in said:
        out.print(each, highlight=False, markup=False)
    if code:
        sys.exit(code)

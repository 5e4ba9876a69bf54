"""Verbs that read rows: reports, comparisons, the gate."""

from __future__ import annotations

import os
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
from htpbench.cli.timing import WaitQuiet, quiet
from htpbench.errors import BenchError
from htpbench.outside.printable import shown


@app.command(sort_key=7)
def report(
    study: Annotated[str | None, Parameter(help="A shipped study or a .toml file.")] = None,
    *,
    all_: Annotated[
        bool, Parameter(name="--all", negative="", help="Every shipped study, and their index.")
    ] = False,
    format: Annotated[
        Literal["pdf"] | None, Parameter(help="Figures in this format beside PNG and SVG.")
    ] = None,
    results: RowsFolder = Path("results"),
    reports: Reports = OWN_REPORTS,
) -> None:
    """Rebuild a study's tables (Markdown, CSV, LaTeX, HTML) and figures from its rows alone."""
    from htpbench.report.build import report_all
    from htpbench.report.drawn import further
    from htpbench.study.loading import load, names

    if all_ == (study is not None):
        raise BenchError("name a study, or say --all")
    with further([format] if format else []):
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
    a: Annotated[str, Parameter(help="What to compare with: a combination, or a results folder.")],
    b: Annotated[str, Parameter(help="What is judged: a combination, or a results folder.")],
    *,
    metric: Annotated[
        list[str] | None, Parameter(negative="", help="Default: all with an interval.")
    ] = None,
    study: Annotated[
        str | None, Parameter(help="Take the rows of its report alone: a name or a .toml file.")
    ] = None,
    format: Literal["table", "csv", "json", "markdown"] = "table",
    history: Annotated[
        Path | None, Parameter(help="Of two folders: draw what moved over commits, into this one.")
    ] = None,
    results: RowsFolder = Path("results"),
) -> None:
    """Say metric by metric whether B is better than A, the same, worse, or unsure, from rows.

    Of two folders of results: what moved from A to B, network by network, and what cannot be
    compared. Exit codes: 0 all compared (of folders: something), 2 wrong usage, rows that are
    missing or conditions that differ.
    """
    from htpbench.cli.runs import compare_runs
    from htpbench.records.verdicts import compare as judge
    from htpbench.report.comparison import render
    from htpbench.report.current import current
    from htpbench.study.loading import load
    from htpbench.systems.combination import parse

    report = load(study) if study else None  # first: it may import what is named here
    missing = [text for text in (a, b) if not os.path.isdir(text)]
    if missing and (len(missing) == 1 or "/" in a + b):
        raise BenchError(f"{missing[0]} is no folder of results; name two, or two combinations")
    if not missing:
        if results != Path("results"):
            raise BenchError("--results is of two combinations; A and B are folders already")
        compare_runs(a, b, metric or (), report, format, history)
        return
    if history:
        raise BenchError("--history is of two folders of results; name them as A and B")
    a, b = (text if text.startswith("control: ") else str(parse(text)) for text in (a, b))
    rows = reread(results)
    found, refused = judge(a, b, current(report, rows) if report else rows, metric or (), report)
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
    require: Annotated[
        list[str] | None,
        Parameter(
            negative="", help='What no pin can hold, of every network: "time.speedup >= 1.3".'
        ),
    ] = None,
    format: Literal["table", "json", "markdown", "junit"] = "table",
    wait_quiet: WaitQuiet = None,
) -> None:
    """Measure a study afresh; fail where cost or accuracy fell behind the pinned rows.

    Exit codes: 0 as pinned, 1 a regression, 2 wrong usage, 3 not measured, 4 an unreadable file.
    """
    from htpbench.gate import check as gate
    from htpbench.gate import pinned, telling
    from htpbench.outside.progress import bar
    from htpbench.study.loading import load

    if pin and (fail or require or format != "table"):
        raise BenchError("--pin judges nothing; leave --fail, --require and --format out")
    gated = load(study).with_overrides(data, weights)
    path = against or pinned.pinned_file(study)
    if pin:
        pinned.replaceable(path, {gated.name})  # measuring takes a minute
        with bar(err) as tick:
            pinned.write(path, gate.measure(gated, tick))
        out.print(f"pinned: {path}", highlight=False, markup=False, soft_wrap=True)
        return
    with bar(err) as tick:
        judged = gate.check(gated, path, fail or (), require or (), tick, quiet(wait_quiet))
    if format == "table":
        for each in telling.table(judged):
            out.print(each, highlight=False, markup=False)
    else:
        print(shown(telling.render(judged, format)))
    if judged.code:
        sys.exit(judged.code)

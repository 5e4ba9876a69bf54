"""The report of a sweep: a table for each pipeline, its figures, what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path

import pandas

from htpbench.errors import BenchError
from htpbench.records.pairing import BY_CLIP, FRAMES, comparable, difference
from htpbench.records.results import Results
from htpbench.records.row import in_time, number
from htpbench.records.rows import Row
from htpbench.report.actions import action_table
from htpbench.report.captions import chosen, linked, timed
from htpbench.report.captions import scored as scored_on
from htpbench.report.certainty import briefly, certainty
from htpbench.report.claims import claims_table, judged
from htpbench.report.console import plain_lines, sweep_lines
from htpbench.report.drawn import Figure
from htpbench.report.finding import finding
from htpbench.report.latex import write_latex
from htpbench.report.origin import summary, sweep_origins
from htpbench.report.pages import Page
from htpbench.report.report import Report, texts
from htpbench.report.standing import Standing, standing, unlisted
from htpbench.report.tables import axes_of, doubts, sweep_parts, sweep_table
from htpbench.report.text import markdown, raw, write_csv, write_text
from htpbench.report.throughput import at_size, throughput_table
from htpbench.study.study import Study


def sweep_report(study: Study, rows: Results, folder: Path) -> Report:
    """Write <folder>/<study>.md, .csv, .tex, .html and the figures whose data are there.

    seq2seq and seq2frame score different frames, so each has a table of its own; the one that the
    reference does not belong to is named <study>-<pipeline>.
    """
    report = Report()
    anchor = study.reference_combination()
    waiting: list[tuple[Page, Iterable[Figure]]] = []
    for pipeline, every in by_pipeline(study, rows).items():
        mine = rows.only(at_size(study, every))
        name = f"{study.name}-{pipeline}" if waiting else study.name
        table = with_delta(sweep_table(mine), mine, str(anchor))
        stand = standing(study, mine)
        report.shown.append(sweep_lines(table, stand))
        stated = claims_table(study.claims, table, str(anchor)) if study.claims else None
        told = finding(study, table, stand) if stated is None else judged(stated)
        report.finding = report.finding or told
        sure = certainty(study, mine)
        if not sure.empty:
            report.shown.append(briefly(sure) or plain_lines(sure))
        by_size = throughput_table(every)
        if not by_size.empty:
            report.shown.append(plain_lines(by_size))
        by_action = action_table(mine)
        if not by_action.empty:
            report.shown.append(plain_lines(by_action))
        report.files.append(write_csv(raw(table), folder, name))
        parts = [*sweep_parts(table), sure, by_size, by_action]
        if stated is not None:
            report.files.append(write_text(folder / f"{name}-claims.md", markdown(stated)))
            parts.append(stated)
        parts = texts(parts)
        report.files.append(write_latex(parts, folder, name))
        page = Page(
            folder,
            name,
            study.title,
            told,
            parts,
            [*stand.told(table["combination"]), scored_on(mine), *summary(mine), doubts(table)],
            sweep_origins(mine, str(anchor)),
        )
        pictures = figures(study, table, stand, rows, mine, folder, name)
        waiting.append((page, chain(pictures, throughput_figure(study, every, folder, name))))
    for page, pictures in waiting:
        report.draw(page, pictures)
    return report


def by_pipeline(study: Study, rows: Results) -> dict[str, Results]:
    """The rows of seq2seq and of seq2frame, which score different frames; the reference's first."""
    own = study.reference_combination().pipeline(study.pipeline)
    used = sorted({row.conditions.get("pipeline", own) for row in rows} - {own})
    if used and not any(row.conditions.get("pipeline", own) == own for row in rows):
        own = used.pop(0)  # a sweep may use all networks in another way
    return {
        one: rows.only(r for r in rows if r.conditions.get("pipeline", own) == one)
        for one in (own, *used)
    }


def with_delta(table: pandas.DataFrame, rows: Iterable[Row], reference: str) -> pandas.DataFrame:
    """Add how much each MPJPE differs from the reference's, or a note why that cannot be said."""
    found = Results.of(rows).measured
    for index, name in enumerate(table["combination"]):
        mine, base = found.get(name, {}), found.get(reference, {})
        if name == reference or not {BY_CLIP, FRAMES} <= mine.keys() & base.keys():
            continue
        columns = ["accuracy.delta", "accuracy.delta.low", "accuracy.delta.high"]
        try:
            comparable(mine, base)
            found_apart = difference([(mine, base)])
            table.loc[index, columns] = found_apart.value, *found_apart.interval()
        except BenchError as error:
            notes = [table.loc[index, "note"], str(error)]
            table.loc[index, "note"] = "; ".join(filter(None, notes))
    return table


def figures(
    study: Study,
    table: pandas.DataFrame,
    stand: Standing,
    rows: Results,
    mine: Results,
    folder: Path,
    name: str,
) -> Iterator[Figure]:
    """The figures of one pipeline's table and rows (`mine`, of all the study's `rows`)."""
    from htpbench.report.figures.breakdown import breakdown  # seaborn is slow to import
    from htpbench.report.figures.graph import graph
    from htpbench.report.figures.grid import grid
    from htpbench.report.figures.kept import kept
    from htpbench.report.figures.pareto import pareto
    from htpbench.report.figures.speedup import speedup

    error, clock, title = scored_on(mine), timed(mine), study.title

    def figure(kind: str, draw: Callable, *data: object, caption: str) -> Figure:
        called = f"{name}{kind}"
        return called, partial(draw, *data, folder, called, title, caption)

    caption = f"{error}; bars: 95 % of the difference to the reference"
    yield figure("", pareto, table, stand.allowed, unlisted(study), caption=caption)
    anchor, flops = str(study.reference_combination()), axes_of(table)[0]
    base = in_time(rows.cells.get((anchor, flops), ()))
    if base:
        caption = f"{clock}; bars: 95 % of the measured ratio"
        yield figure("-speedup", speedup, table, number(base[-1]), caption=caption)
    caption = f"{clock}; medians of passes whose parts are marked"
    yield figure("-time", breakdown, mine, caption=caption)
    yield figure("-grid", grid, table, caption=f"{error}; reference {anchor}")
    yield figure("-kept", kept, mine, caption=chosen(mine))
    yield figure("-graph", graph, mine, caption=linked(mine))


def throughput_figure(study: Study, rows: Results, folder: Path, name: str) -> Iterator[Figure]:
    """The figure of a study that was timed at several batch sizes."""
    from htpbench.report.figures.throughput import throughput

    called = f"{name}-throughput"
    caption = f"{timed(rows).rpartition(', ')[0]}; bars: 95 % over processes"
    yield called, partial(throughput, rows, folder, called, study.title, caption)

"""A study's report from rows alone: its tables, then its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path

import pandas
from rich.console import RenderableType

from htpbench.errors import BenchError
from htpbench.records.pairing import BY_CLIP, FRAMES, comparable, difference
from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.report.actions import action_table
from htpbench.report.captions import beside, beside_tables, chosen, linked, timed
from htpbench.report.captions import scored as scored_on
from htpbench.report.certainty import briefly, certainty
from htpbench.report.claims import claims_table
from htpbench.report.console import plain_lines, sweep_lines
from htpbench.report.current import current, in_order
from htpbench.report.drawn import Drawn, Figure, drawn
from htpbench.report.finding import finding
from htpbench.report.frame import evaluated, measured_frames, printed_frames
from htpbench.report.front import points, write_front
from htpbench.report.index import Entry, where_from, write_index
from htpbench.report.latex import write_latex
from htpbench.report.origin import (
    published_origins,
    regime_origins,
    summary,
    sweep_origins,
)
from htpbench.report.pages import Page
from htpbench.report.paper import published_table
from htpbench.report.published import published, remarks_shown
from htpbench.report.quantities import meters_of
from htpbench.report.regimes import (
    agreement_table,
    failure_table,
    regime_finding,
    regime_table,
    scored,
    scores,
)
from htpbench.report.relative import WORDS
from htpbench.report.seeds import difference_table, differences
from htpbench.report.sides import sides
from htpbench.report.standing import Standing, standing
from htpbench.report.tables import axes_of, doubts, sweep_parts, sweep_table
from htpbench.report.text import markdown, raw, write_csv, write_text
from htpbench.report.throughput import at_size, throughput_table
from htpbench.report.unprinted import unprinted
from htpbench.study.study import Study


@dataclass
class Report(Drawn):
    """What a terminal shows of a study, and what became of its files."""

    shown: list[RenderableType] = field(default_factory=list)
    finding: str = ""  # in one sentence

    def draw(self, page: Page, figures: Iterable[Figure]) -> None:
        """Write a page, then draw the figures and write it with them: none can take it away."""
        self.files += page.write()
        found = drawn(figures)
        if found.files:
            page.write(found.files)
        self.files += found.files
        self.problems += found.problems
        self.refused += found.refused


def report_study(study: Study, everything: Results, reports: Path) -> Report:
    """Rebuild a study's report from rows alone, of all machines."""
    folder = reports / study.name
    if study.table is not None:
        return published_report(printing(study), everything, folder)
    return measured_report(study, rows_of(study, everything), folder)


def rows_of(study: Study, everything: Results) -> Results:
    """The rows that a study's report is made of; BenchError where there are none."""
    results = everything.only(current(study, everything))
    if not results.rows:
        raise BenchError(
            f"no rows of {study.name}; measure it with `htpbench sweep {study.name}`, or name "
            "their folder with --results"
        )
    return results


def networks_table(study: Study, everything: Results) -> pandas.DataFrame:
    """The `sweep_table` of a study, in its order, with differences to the reference.

    Of two pipelines the reference's. BenchError for a study that trains its own networks: they have
    a number for each seed.
    """
    if study.training:
        raise BenchError(
            f"{study.name} trains its own networks; see `htpbench report {study.name}`"
        )
    rows = rows_of(study, everything)
    rows = next(iter(by_pipeline(study, rows.only(in_order(study, rows))).values()))
    rows = rows.only(at_size(study, rows))
    return with_delta(sweep_table(rows), rows, str(study.reference_combination()))


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


def report_all(studies: Iterable[Study], everything: Results, reports: Path) -> Iterator[Report]:
    """Rebuild the report of each study that has rows or prints numbers, then the index of them."""
    entries, networks = [], []
    for study in studies:
        asked = study if study.table is None else printing(study)
        rows = everything.only(current(asked, everything))
        if study.table is None and not any(row.study == study.name for row in rows):
            continue  # rows of other studies that fit do not tell what it asks
        report = report_study(study, everything, reports)
        said = "; ".join(one for one in report.shown if isinstance(one, str))
        found = report.finding or said
        entries.append(Entry(study.name, study.title, found, report.files, where_from(rows)))
        if study.table is None and not study.training:
            networks.append(points(study, rows.only(at_size(study, rows))))
        yield report
    if not entries:
        raise BenchError("no rows of any study; name their folder with --results")
    last = Report()
    try:
        last.files += write_front(networks, reports)
    except BenchError as error:
        last.problems.append(str(error))
    last.files += write_index(entries, reports, last.files)
    yield last


def measured_report(study: Study, results: Results, folder: Path) -> Report:
    """Write what the study's kind of report is; without any MPJPE networks are not set apart."""
    results = results.only(in_order(study, results))
    if study.training and scored(results):
        return regime_report(study, results, folder)
    return sweep_report(study, results, folder)


def regime_report(study: Study, rows: Results, folder: Path) -> Report:
    """Weights trained for each schedule, for all, and transferred, side by side."""
    found, reference = scores(rows), str(study.reference_combination())
    apart, sure = differences(rows, reference), certainty(study, rows)
    every = [
        regime_table(found, rows),
        difference_table(apart),
        sure,
        agreement_table(found),
        failure_table(rows),
    ]
    parts = [part for part in every if not part.empty]
    words = sure.to_dict("list").get("is", [])
    report = Report(
        shown=[plain_lines(part) for part in parts],
        finding=regime_finding(filter(None, words), reference, found),
    )
    parts = texts(parts)
    report.files.append(write_csv(found, folder, study.name))
    report.files.append(write_latex(parts, folder, study.name))
    page = Page(
        folder,
        study.name,
        study.title,
        report.finding,
        parts,
        [scored_on(rows), *summary(rows)],
        regime_origins(rows),
    )
    report.draw(page, regime_figures(study, found, apart, scored_on(rows), folder))
    return report


def regime_figures(
    study: Study, found: pandas.DataFrame, apart: pandas.DataFrame, caption: str, folder: Path
) -> Iterator[Figure]:
    """The figures of a study that trained its own networks."""
    from htpbench.report.figures.regimes import regimes
    from htpbench.report.figures.seeds import seeds

    name, title = study.name, study.title
    if len(set(found["lineage"])) > 1:
        yield name, partial(regimes, found, folder, name, title, caption)
    reference = study.reference_combination()
    below = f"{caption}; reference {reference}; bars: 95 % over subjects and seeds"
    yield f"{name}-seeds", partial(seeds, found, apart, folder, f"{name}-seeds", title, below)


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
        told = finding(study, table, stand)
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
        if study.claims:
            stated = claims_table(study.claims, table, str(anchor))
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


def texts(parts: Iterable[pandas.DataFrame]) -> list[pandas.DataFrame]:
    """The tables that hold anything, as texts."""
    return [part.astype(str) for part in parts if not part.empty]


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
    yield figure("", pareto, table, stand.allowed, caption=caption)
    anchor, flops = str(study.reference_combination()), axes_of(table)[0]
    base = [r.value for r in rows if (r.combination, r.metric, r.status) == (anchor, flops, "ok")]
    if base and isinstance(base[-1], int | float):
        caption = f"{clock}; bars: 95 % of the measured ratio"
        yield figure("-speedup", speedup, table, base[-1], caption=caption)
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


def printing(study: Study) -> Study:
    """A published table's study with the meters of all that is printed there."""
    assert study.table is not None
    return study.model_copy(update={"meters": meters_of(study.table, published(study.table))})


def published_report(study: Study, everything: Results, folder: Path) -> Report:
    """Write ours beside the paper's table; `everything`: the rows of other studies too."""
    assert study.table is not None
    rows = everything.only(current(study, everything))
    comparison, remarks = published_table(study.table, rows), remarks_shown(study.table)
    further = unprinted(study.parsed(), study.table, rows)
    numbers = comparison.dropna(axis="columns", how="all")
    report = Report([write_csv(numbers, folder, study.name)], shown=[*told(comparison)])
    parts = texts([*sides(comparison), further, remarks])
    report.files.append(write_latex(parts, folder, study.name))
    page = Page(
        folder,
        study.name,
        study.title,
        "; ".join(told(comparison)),
        parts,
        [beside_tables(rows), *summary(rows)],
        published_origins(study.table, rows),
    )
    report.draw(page, published_figures(study, study.table, everything, folder))
    return report


def told(comparison: pandas.DataFrame) -> list[str]:
    """How many printed numbers are ours, and how many ratios agree."""
    done = [said for said in comparison["equal"] if said]
    words = comparison["verdict"].value_counts()
    lines = [
        f"{done.count('yes')} of {len(done)} computed cells equal the printed digit"
        if done
        else "no printed number stands beside one of ours"
    ]
    if words.sum():
        count = ", ".join(f"{word} {words[word]}" for word in WORDS if word in words)
        lines.append(f"of {words.sum()} numbers over those of the unpruned network: {count}")
    return lines


def published_figures(
    study: Study, table: int, everything: Results, folder: Path
) -> Iterator[Figure]:
    """The figure of a table of costs of unlike things; ours is what any study measured."""
    unlike = evaluated(table)
    if unlike is None:
        return
    from htpbench.report.figures.frame import frame

    printed = printed_frames(table)
    ours = measured_frames(printed, everything)
    caption = (
        "A pass of a seq2seq row gives all F poses: its printed cost / F; a seq2frame row needs a"
        " pass for each pose"
    )
    if unlike:
        told = "; ".join(one["text"] for one in unlike)
        caption += f". Whiskers end at the cost at which the error was measured: {told}"
    caption = ". ".join(filter(None, [caption, beside(one.error for one in ours)]))
    name, title = f"{study.name}-frame", f"{study.title}, by the cost of one output frame"
    yield name, partial(frame, printed, ours, folder, name, title, caption)

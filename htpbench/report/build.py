"""Reports from rows alone: of one study, of all, and the index of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas

from htpbench.errors import BenchError
from htpbench.records.results import Results
from htpbench.report.current import current, in_order
from htpbench.report.front import points, write_front
from htpbench.report.index import Entry, where_from, write_index
from htpbench.report.printed import printing, published_report
from htpbench.report.regimes import scored
from htpbench.report.report import Report
from htpbench.report.sweeps import by_pipeline, sweep_report, with_delta
from htpbench.report.tables import sweep_table
from htpbench.report.throughput import at_size
from htpbench.report.trained import regime_report
from htpbench.study.study import Study


def report_study(study: Study, everything: Results, reports: Path) -> Report:
    """Rebuild a study's report from rows alone, of all machines."""
    folder = reports / study.name
    if study.table is not None:
        return published_report(printing(study), everything, folder)
    return measured_report(study, rows_of(study, everything), folder)


def measured_report(study: Study, results: Results, folder: Path) -> Report:
    """Write what the study's kind of report is; without any MPJPE networks are not set apart."""
    results = results.only(in_order(study, results))
    if study.training and scored(results):
        return regime_report(study, results, folder)
    return sweep_report(study, results, folder)


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


def rows_of(study: Study, everything: Results) -> Results:
    """The rows that a study's report is made of; BenchError where there are none."""
    results = everything.only(current(study, everything))
    if not results.rows:
        raise BenchError(
            f"no rows of {study.name}; measure it with `htpbench sweep {study.called}`, or name "
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
            f"{study.name} trains its own networks; see `htpbench report {study.called}`"
        )
    rows = rows_of(study, everything)
    rows = next(iter(by_pipeline(study, rows.only(in_order(study, rows))).values()))
    rows = rows.only(at_size(study, rows))
    return with_delta(sweep_table(rows), rows, str(study.reference_combination()))

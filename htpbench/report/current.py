"""Which rows belong in a study's report: its last sweep's, else the newest that are alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from htpbench.records.pairing import WEIGHTS, unlike
from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.study.study import Study
from htpbench.systems.combination import parse
from htpbench.systems.registry import METERS

CONTROL = "control"  # begins the name of what stands where a combination stands
EVERY_THIRD = f"{CONTROL}: unpruned, every third frame"
# Conditions that may differ between the combinations of one study without making them unlike.
OWN = {
    "pipeline",
    "masked",  # an unpruned network never is
    *("sampling", "refined"),
    "stride",
    "windows",
    "flip_selection",
    "control",
    "trained",
    "code",
    "batch",  # of one study's times there may be several
    *("training_batch", "optimiser", "loss"),  # each backbone's recipe says its own
}


def current(study: Study, rows: Iterable[Row]) -> list[Row]:
    """The rows of a study that may stand in one table: those that its last sweep is made of.

    Without one, or where more was measured since: a row that another study measured serves as well,
    for the runner takes it too. For each meter of the study its newest row sets the conditions;
    windows are compared within F and pipeline.
    """
    rows = Results.of(rows)
    last = rows.sweeps.get(study.name)
    if last and last.tells(rows) and study.table is None:  # whose meters are more than it sweeps
        keys, reference = set(last.keys), study.reference_combination()
        listed = {str(one) for one in (*study.parsed(), reference)}
        return [
            row
            for row in rows
            if row.key in keys
            and (study.search or row.combination in listed or row.combination.startswith(CONTROL))
        ]
    used = uses(study)
    rows = own_first(study, (row for row in rows if belongs(study, used, row)))
    newest: dict[tuple, Row] = {}
    for row in rows:
        if not row.combination.startswith(CONTROL):
            for key in (meter(row), (*meter(row), *cut(row))):
                newest[key] = max(newest.get(key, row), row, key=lambda one: age(study, one))
    own = OWN | ({"weights_sha256", "training_seed"} if study.training else set())
    # A paper's networks have weights, protocols and frame rates of their own.
    free = {(name,) for name in study.meters if study.table and METERS.load(name).weights}

    def fits(row: Row, key: tuple, skipped: set[str]) -> bool:
        # A table's own networks may refer to one of their backbone; a ratio needs no more.
        own_reference = study.table is not None and row.study == study.name
        loose = {"reference"} if own_reference else set()
        return meter(row) in free or alike(row, newest.get(key), skipped | loose)

    kept = [row for row in rows if fits(row, meter(row), own)]
    close = own - {"stride", "windows", "sampling"}
    networks = [
        row
        for row in kept
        if not row.combination.startswith(CONTROL) and fits(row, (*meter(row), *cut(row)), close)
    ]
    cards = [row.conditions for row in networks]
    controls = [row for row in kept if row.combination.startswith(CONTROL)]
    return [row for row in controls if any(beside(row, card) for card in cards)] + networks


def beside(control: Row, card: Mapping[str, Any]) -> bool:
    """Whether a control was measured on a network's windows, and sampled as it was, if at all."""
    conditions = control.conditions
    sampled = conditions.get("sampling") in (None, card.get("sampling"))
    return sampled and conditions.get("windows") == card.get("windows")


def in_order(study: Study, rows: Iterable[Row]) -> list[Row]:
    """Controls, then what the study lists, then what a search found, whoever measured it when."""
    rows = list(rows)
    named = [study.reference_combination(), *study.parsed()]
    listed = {str(one): place for place, one in enumerate(named, 1)}
    first = {row.combination: row.at for row in sorted(rows, key=lambda row: row.at, reverse=True)}

    def place(row: Row) -> tuple[int, str, str]:
        name = row.combination
        if name.startswith(CONTROL):
            return 0, "", ""
        return (listed[name], "", "") if name in listed else (len(listed) + 2, first[name], name)

    return sorted(rows, key=place)


def own_first(study: Study, rows: Iterable[Row]) -> list[Row]:
    """The rows without those that another study measured again: whoever did changes no report."""
    rows = list(rows)
    own = {row.key for row in rows if row.study == study.name and row.status == "ok"}
    return [row for row in rows if row.study == study.name or row.key not in own]


def uses(study: Study) -> dict[str, str]:
    """The pipeline of each combination that a study lists."""
    listed = (*study.parsed(), study.reference_combination())
    return {str(one): one.pipeline(study.pipeline) for one in listed}


def belongs(study: Study, used: Mapping[str, str], row: Row) -> bool:
    """Whether a row is of the study's meters and combinations; a search may have chosen any."""
    if meter(row)[0] not in study.meters:
        return False
    if row.combination.startswith(CONTROL):
        return row.study == study.name
    masked = study.masked and parse(row.combination).pruner is not None
    if row.conditions.get("masked", False) != masked:
        return False
    if row.combination in used:  # a row of another use of the network says nothing here
        own = row.conditions.get("pipeline") in (None, used[row.combination])
        # A paper may print a network in both uses.
        return drawn_alike(study, row) if study.table else own
    return study.search is not None and row.study == study.name


def drawn_alike(study: Study, row: Row) -> bool:
    """Whether poses were drawn as the study draws them, in number."""
    told, asked = row.conditions.get("sampling"), study.sampling
    counts = {"hypotheses": asked.hypotheses, "iterations": asked.iterations}
    return not isinstance(told, dict) or counts.items() <= told.items()


def meter(row: Row) -> tuple[str]:
    """What measured a row."""
    return (row.metric.partition(".")[0],)


def cut(row: Row) -> tuple:
    """What decides how clips are cut into windows, and whether poses are sampled."""
    sampled = "sampling" in row.conditions
    return row.conditions.get("pipeline"), parse(row.combination).frames, sampled


def age(study: Study, row: Row) -> tuple[bool, str]:
    """The newest is the largest; rows of the study itself come before borrowed ones."""
    return row.study == study.name, row.at


def alike(row: Row, other: Row | None, skipped: set[str]) -> bool:
    """Whether two rows of a meter were measured under the same conditions."""
    if other is None:
        return False
    if row.combination.startswith(CONTROL) and "weights" not in row.conditions:
        skipped = skipped | WEIGHTS | {"flip", "sampling"}  # the mean pose has none
    return not unlike(row, other, skipped)

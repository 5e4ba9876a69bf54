"""How long a sweep will take, from how long the same took before, here or on other machines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING

from htpbench.records.row import WRITTEN, Row
from htpbench.records.rows import Store
from htpbench.study import space

if TYPE_CHECKING:
    from htpbench.bench.runner import Runner

PAUSE = timedelta(hours=1)  # a longer time between two rows was not spent on the second
Job = tuple[str, str]  # a combination and a meter
UNKNOWN = ""  # the combination of a unit that a search has yet to choose


def announced(runner: Runner) -> str:
    """What a sweep is about to do, and for about how long, in one line."""
    study = runner.study
    count = len(space.listed(study)) + space.asked(study)
    announcement = f"{study.name}: {count} combinations, meters {', '.join(study.meters)}"
    if study.training:
        return f"{announcement}; networks that are not there are trained first"
    waiting = unmeasured(runner)
    if not waiting:
        return f"{announcement}; all of it is measured"
    here = Store(runner.folder).read(study.name)
    elsewhere = Store(runner.folder.parent).read(study.name)
    for rows, whose in ((here, "here"), (elsewhere, "on another machine")):
        seconds = estimate(waiting, durations(rows))
        if seconds is not None:
            return f"{announcement}; about {spoken(seconds)}, as it took {whose}"
    return f"{announcement}; nothing like it was measured yet, so how long it takes is not known"


def unmeasured(runner: Runner) -> list[Job]:
    """What a sweep has yet to measure; a search may find that less is to do."""
    study, sizes = runner.study, runner.by_size()
    listed = [
        (str(one), meter)
        for one in space.listed(study)
        for meter in study.meters
        if not all(sized.settled(sized.keys(one, meter)) for sized in sizes)
    ]
    return listed + [(UNKNOWN, meter) for meter in study.meters] * space.asked(study)


def durations(rows: Iterable[Row]) -> dict[Job, float]:
    """Seconds that each unit took: from the row before it in the store to its last."""
    found: dict[Job, float] = defaultdict(float)
    for before, row in pairwise(rows):
        spent = moment(row) - moment(before)
        if timedelta() <= spent <= PAUSE:
            found[row.combination, row.metric.partition(".")[0]] += spent.total_seconds()
    return dict(found)


def moment(row: Row) -> datetime:
    """When a row was written; the year 1 where it does not say so."""
    try:
        return datetime.strptime(row.at, WRITTEN)
    except ValueError:
        return datetime.min


def estimate(units: Sequence[Job], known: dict[Job, float]) -> float | None:
    """Seconds that units will take, those that are not known as long as others of their meter."""
    by_meter: dict[str, list[float]] = defaultdict(list)
    for (_, meter), seconds in known.items():
        by_meter[meter].append(seconds)
    if not {meter for _, meter in units} <= by_meter.keys():
        return None
    return sum(known.get(unit, fmean(by_meter[unit[1]])) for unit in units)


def spoken(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{max(10 * round(seconds / 10), 10)} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"

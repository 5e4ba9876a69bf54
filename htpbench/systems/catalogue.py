"""The metrics of all meters that are installed, by name."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from htpbench.errors import unknown
from htpbench.systems.metric import Metric
from htpbench.systems.registry import METERS


def meter(name: str) -> Any:
    """The meter of a name (`htpbench.meters.Meter`); BenchError where it is not known."""
    return METERS.load(name)()


def meters() -> list[str]:
    """The names of all meters, those first that are cheap to ask."""
    return sorted(METERS.names(), key=lambda name: meter(name).turn)


@cache
def _by_name(metrics: tuple[Metric, ...]) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


def declared(name: str) -> Metric | None:
    """A metric by its name; None where no meter here declares it."""
    who = name.partition(".")[0]
    return _by_name(METERS.load(who).declared()).get(name) if who in METERS.names() else None


def metric(name: str, unit: str = "1") -> Metric:
    """A metric by its name; one that nobody declares here has a name and a unit alone."""
    return declared(name) or Metric(name=name, unit=unit, better=None, head=name, decimals=4)


def numbers(meters: Iterable[str]) -> list[str]:
    """What these meters measure as one number."""
    return [
        each.name
        for name in meters
        for each in meter(name).declared()
        if each.kind == "number" and not each.derived
    ]


def measured_by(metrics: Iterable[str]) -> list[str]:
    """Who measures these numbers; BenchError for one that nobody does."""
    known = numbers(meters())
    for name in metrics:
        if name not in known:
            raise unknown("metric", name, known)
    return list(dict.fromkeys(name.partition(".")[0] for name in metrics))


def exclusive(name: str) -> bool:
    """Whether a metric was measured on a device alone, so that it is noisy and the machine's."""
    return _declares(name, "exclusive")


def of_some(name: str) -> bool:
    """Whether some networks do not have a metric by their nature."""
    return _declares(name, "of_some")


def _declares(name: str, what: str) -> bool:
    who = name.partition(".")[0]
    return who in METERS.names() and getattr(METERS.load(who), what)


def tabled(named: Iterable[tuple[str, str]] = ()) -> list[Metric]:
    """The numbers that stand in tables: those of every meter in order, then the other ones named.

    named: metrics of rows and their units.
    """
    known = [each for name in meters() for each in METERS.load(name).declared()]
    found = {each.name: each for each in known if each.kind == "number" and each.head}
    for name, unit in named:
        if declared(name) is None:
            found.setdefault(name, metric(name, unit))
    return list(found.values())

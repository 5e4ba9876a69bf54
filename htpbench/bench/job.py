"""What is claimed and measured at once: one meter of one combination, or a control."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from htpbench.errors import BenchError
from htpbench.measuring.context import Context, foreign_code
from htpbench.meters import Meter
from htpbench.records.row import check_conditions
from htpbench.records.rows import row_key
from htpbench.systems.catalogue import meter, metric
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric
from htpbench.systems.registry import METERS, imported_line


class Job(NamedTuple):
    """The metrics to measure of a network or control, and how."""

    name: str
    meter: str
    keys: dict[str, str]  # metric -> key of its row
    conditions: dict[str, Any]

    @property
    def claim(self) -> str:
        """What a claim of it is called."""
        return " ".join(sorted(self.keys.values()))


def job(context: Context, combination: Combination, name: str) -> Job:
    """What a meter measures of a combination; without keys where it has no metric."""
    asked = meter(name)
    if name in METERS.shipped:
        metrics, own = asked.applies(context, combination), asked.conditions(context, combination)
    else:
        metrics, own = said(name, asked, context, combination)
    conditions = context.conditions(combination) | own
    if asked.exclusive:
        here = context.environment
        alone = {"environment": here["id"], "device": here["device"], "threads": here["threads"]}
        conditions |= alone
    if code := foreign_code([(METERS, name)]):
        conditions["code"] = conditions.get("code", {}) | code
    names = [metric.name for metric in metrics]
    return made(context, str(combination), name, names, conditions)


def said(
    name: str, asked: Meter, context: Context, combination: Combination
) -> tuple[tuple[Metric, ...], dict[str, Any]]:
    """What a meter of another says of a combination; BenchError where it cannot be used."""
    doing = "applies"
    try:
        metrics = tuple(asked.applies(context, combination))
        if strange := [one for one in metrics if one not in asked.declared()]:
            raise ValueError(f"{strange[0]!r:.60} is not among its metrics")
        doing = "conditions"
        conditions = asked.conditions(context, combination)
        if not isinstance(conditions, dict):
            raise TypeError(f"{conditions!r:.60}; expected a dict")
        json.dumps(conditions)
    except BenchError:
        raise
    except Exception as error:  # the code is another's, whatever goes wrong in it
        where = imported_line(error) or f" ({METERS.owner(name)})"
        wrong = f"{type(error).__name__}: {error}"
        raise BenchError(f"{doing} of the meter {name!r}{where}: {wrong}; mend it") from error
    return metrics, conditions


def made(
    context: Context, name: str, meter_name: str, metrics: list[str], conditions: dict[str, Any]
) -> Job:
    """A job of these metrics, each with the key of its row."""
    try:
        check_conditions(conditions)
    except ValueError as error:
        raise BenchError(
            f"no row can say how {meter_name} measures {name}: {error}; "
            "name less data, or mend the meter's conditions"
        ) from error
    machine = context.machine if meter(meter_name).exclusive else None
    keys = {one: row_key(name, one, conditions, version(one), machine) for one in metrics}
    return Job(name, meter_name, keys, conditions)


def version(name: str) -> int | str:
    """Of the code that measures a metric; what is edited gives new numbers, as a pruner does."""
    asked, code = meter(name.partition(".")[0]).version, metric(name).code
    return f"{asked} {code}" if code else asked

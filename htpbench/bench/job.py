"""What is claimed and measured at once: one meter of one combination, or a control."""

from __future__ import annotations

from typing import Any, NamedTuple

from htpbench.measuring.context import Context, foreign_code
from htpbench.records.rows import row_key
from htpbench.systems.catalogue import meter, metric
from htpbench.systems.combination import Combination
from htpbench.systems.registry import METERS


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
    metrics = [metric.name for metric in asked.applies(context, combination)]
    conditions = context.conditions(combination) | asked.conditions(context, combination)
    if code := foreign_code([(METERS, name)]):
        conditions["code"] = conditions.get("code", {}) | code
    return made(context, str(combination), name, metrics, conditions)


def made(
    context: Context, name: str, meter_name: str, metrics: list[str], conditions: dict[str, Any]
) -> Job:
    """A job of these metrics, each with the key of its row."""
    asked = meter(meter_name)
    machine = context.machine if asked.exclusive else None
    keys = {}
    for one in metrics:
        code = metric(one).code  # one that is edited gives new numbers, as an edited pruner does
        version = f"{asked.version} {code}" if code else asked.version
        keys[one] = row_key(name, one, conditions, version, machine)
    return Job(name, meter_name, keys, conditions)

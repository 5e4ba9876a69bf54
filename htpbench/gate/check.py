"""The gate: what is measured now against what was pinned, metric by metric."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from htpbench.bench.job import version
from htpbench.bench.runner import Runner, run
from htpbench.errors import BenchError
from htpbench.gate import pinned
from htpbench.gate.finding import Finding, Judgement
from htpbench.gate.pinned import KEPT, Rows
from htpbench.gate.required import required, requirements
from htpbench.gate.tolerance import Rule, default_rule, parse_rules
from htpbench.measuring.clock import threads
from htpbench.measuring.context import Context
from htpbench.outside.progress import Tick
from htpbench.records.pairing import unlike
from htpbench.records.rows import Row, Store, row_key
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.combination import parse
from htpbench.systems.registry import PRUNERS

# Weights and code of third parties may be others: that is what is judged.
JUDGED = {"weights_sha256", "training", "training_seed", "code"}
HERE = {"environment", "device", "threads"}  # of a clock; what it counts is the same elsewhere
SOFTWARE = ("torch", "numpy", "device", "cpu")  # with Python's minor version: the same bits


def check(
    study: Study,
    path: Path,
    fail: Iterable[str] = (),
    require: Iterable[str] = (),
    tick: Tick = lambda done, total, text: None,
    quiet_s: float = 0.0,
) -> Judgement:
    """Measure a study, compare it with pinned rows and with what is required of it.

    Before time is measured the machine has `quiet_s` seconds to become quiet.
    """
    before = pinned.read(path)
    units = {metric: row.unit for (_, metric), row in before.rows.items() if metric != KEPT}
    rules, limits = parse_rules(fail, units), requirements(require, study)
    after = measure(study, tick, {one.metric.partition(".")[0] for one in limits}, quiet_s)
    reference = str(study.reference_combination())
    findings = [*compare(before, after, rules), *required(limits, after, reference)]
    return Judgement(study.name, findings, before, after)


def measure(
    study: Study,
    tick: Tick = lambda done, total, text: None,
    also: Collection[str] = (),
    quiet_s: float = 0.0,
) -> Rows:
    """Measure what a study lists afresh: nothing is taken from results, nothing is left there.

    Meters of time alone where they are asked for (`also`): nothing of them is pinned. Of several
    batch sizes the first, with as many threads as the study says.
    """
    if study.training or not study.combinations:
        raise BenchError(
            f"{study.name}: expected `combinations`, and weights instead of [training]"
        )
    meters = [
        one
        for one in study.meters
        if one in also or any(pinned.holds(name) for name in catalogue.numbers([one]))
    ]
    if not meters:
        raise BenchError(f"{study.name}: nothing of {', '.join(study.meters)} is pinned")
    timing = study.timing.by_size()[0]
    with TemporaryDirectory() as folder, threads(timing.threads):
        context = Context(study.model_copy(update={"meters": meters, "timing": timing}))
        runner = Runner(context, Path(folder), quiet_s=quiet_s)
        run(runner, study.parsed(), tick)
        rows = Store(Path(folder)).read()  # through JSON, as the pinned ones
    return Rows(pinned.comparable(rows), [runner.context.environment])


def compare(before: Rows, after: Rows, asked: Mapping[str, Rule]) -> list[Finding]:
    """Every gated number of either side, by the rule that was asked for or else the default."""
    alike = bool(before.environments) and all(
        software(one) == software(other)
        for one in before.environments
        for other in after.environments
    )
    named = (facts.get("machine") for facts in before.environments)
    machines = {one for one in named if isinstance(one, str)} or {None}
    findings = []
    for place in dict.fromkeys([*before.rows, *after.rows]):
        name, metric = place
        present = place in after.rows  # a pinned name may be gone
        same = alike and ran_by(before.rows.get(place)) == ran_by(after.rows.get(place))
        rule = asked.get(metric) or default_rule(metric, same, present and static(name))
        if rule is not None:
            findings.append(judge(before.rows.get(place), after.rows.get(place), rule, machines))
    return findings


def judge(
    before: Row | None, after: Row | None, rule: Rule, machines: Collection[str | None] = (None,)
) -> Finding:
    """What one rule says of a pinned and a found row; machines as of `obstacle`."""
    if before is None or after is None:
        why = "pinned, but not measured" if before else "measured, but not pinned: --pin it"
        return Finding(before or after, "missing", why=why)  # type: ignore[arg-type]
    why = obstacle(before, after, machines)
    if why:
        return Finding(before, "missing", why=why)
    return Finding(before, *rule.judge(before, after), why=str(rule))


def obstacle(before: Row, after: Row, machines: Collection[str | None]) -> str:
    """Why two rows cannot be compared; "" where they can.

    machines: that the pinned rows are of; what a clock counts bears the machine's name.
    """
    if after.status != "ok":
        return f"{after.status}: {after.reason}"
    counted_by_clock = catalogue.exclusive(before.metric)
    skipped = JUDGED | {"engine"} | (HERE if counted_by_clock else set())
    differing = unlike(after, before, skipped)
    if ran_by(after)[0] != ran_by(before)[0]:
        differing["engine"] = (after.conditions.get("engine"), before.conditions.get("engine"))
    if before.unit != after.unit:
        differing["unit"] = (after.unit, before.unit)
    said = [
        f"{name}: {json.dumps(now)}, pinned {json.dumps(was)}"
        for name, (now, was) in sorted(differing.items())
    ]
    known = before.combination, before.metric, before.conditions, version(before.metric)
    if before.key not in {row_key(*known, one if counted_by_clock else None) for one in machines}:
        said.append("pinned by another version of the meter: --pin it")
    if before.axis != after.axis:
        said.append("kept frames of other windows: --pin it")
    return "; ".join(said)


def ran_by(row: Row | None) -> list[str]:
    """The engine that ran a network, and its release, which is software as torch is."""
    return str(row.conditions.get("engine", "") if row else "").split(" ")


def static(combination: str) -> bool:
    """Whether the frames that a combination keeps depend on no floating point."""
    pruner = parse(combination).pruner
    return pruner is None or PRUNERS.load(pruner.name).static


def software(facts: dict[str, Any]) -> list:
    """What decides the last bits of a network's output."""
    return [str(facts.get("python")).split(".")[:2], *(facts.get(name) for name in SOFTWARE)]

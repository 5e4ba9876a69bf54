"""The gate: what is measured now against what was pinned, metric by metric."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table

from htpbench.bench.runner import Runner, run
from htpbench.errors import BenchError
from htpbench.gate import pinned
from htpbench.gate.pinned import KEPT, Rows
from htpbench.gate.tolerance import Rule, default_rule, parse_rules
from htpbench.measuring.context import Context
from htpbench.outside.progress import Tick
from htpbench.records.pairing import unlike
from htpbench.records.rows import Row, Store, row_key
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.combination import parse
from htpbench.systems.registry import PRUNERS

REGRESSION, INCOMPLETE = 1, 3  # exit codes; 0 passes, 2 is wrong usage, 4 an unreadable file
WEIGHTS = {"weights_sha256", "training", "training_seed"}  # others may be shipped: they are judged
SOFTWARE = ("torch", "numpy", "device", "cpu")  # with Python's minor version: the same bits


class Finding(NamedTuple):
    """One gated number: "same", "worse", "better", or "missing" where it cannot be compared."""

    row: Row
    state: str
    pinned: str = ""
    found: str = ""
    difference: str = ""
    why: str = ""


def check(study: Study, path: Path, fail: list[str], tick: Tick) -> tuple[int, list[Table | str]]:
    """Measure a study, compare it with pinned rows: the exit code and what to print."""
    before = pinned.read(path)
    units = {metric: row.unit for (_, metric), row in before.rows.items() if metric != KEPT}
    asked = parse_rules(fail, units)
    after = measure(study, tick)
    findings = compare(before, after, asked)
    return exit_code(findings), report(findings, before, after)


def measure(study: Study, tick: Tick = lambda done, total, text: None) -> Rows:
    """Measure what a study lists afresh: nothing is taken from results, nothing is left there."""
    if study.training or not study.combinations:
        raise BenchError(
            f"{study.name}: expected `combinations`, and weights instead of [training]"
        )
    with TemporaryDirectory() as folder:
        runner = Runner(Context(study), Path(folder))
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
    findings = []
    for place in dict.fromkeys([*before.rows, *after.rows]):
        name, metric = place
        present = place in after.rows  # a pinned name may be gone
        same = alike and ran_by(before.rows.get(place)) == ran_by(after.rows.get(place))
        rule = asked.get(metric) or default_rule(metric, same, present and static(name))
        if rule is not None:
            findings.append(judge(before.rows.get(place), after.rows.get(place), rule))
    return findings


def judge(before: Row | None, after: Row | None, rule: Rule) -> Finding:
    """What one rule says of a pinned and a found row."""
    if before is None or after is None:
        why = "pinned, but not measured" if before else "measured, but not pinned: --pin it"
        return Finding(before or after, "missing", why=why)  # type: ignore[arg-type]
    why = obstacle(before, after)
    if why:
        return Finding(before, "missing", why=why)
    return Finding(before, *rule.judge(before, after), why=str(rule))


def obstacle(before: Row, after: Row) -> str:
    """Why two rows cannot be compared; "" where they can."""
    if after.status != "ok":
        return f"{after.status}: {after.reason}"
    differing = unlike(after, before, WEIGHTS | {"engine"})
    if ran_by(after)[0] != ran_by(before)[0]:
        differing["engine"] = (after.conditions.get("engine"), before.conditions.get("engine"))
    if before.unit != after.unit:
        differing["unit"] = (after.unit, before.unit)
    said = [
        f"{name}: {json.dumps(now)}, pinned {json.dumps(was)}"
        for name, (now, was) in sorted(differing.items())
    ]
    version = catalogue.meter(before.metric.partition(".")[0]).version
    if row_key(before.combination, before.metric, before.conditions, version) != before.key:
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


def exit_code(findings: list[Finding]) -> int:
    """The exit code: a regression first, then what could not be compared."""
    states = {finding.state for finding in findings}
    if "worse" in states:
        return REGRESSION
    return INCOMPLETE if "missing" in states or not findings else 0


def report(findings: list[Finding], before: Rows, after: Rows) -> list[Table | str]:
    """A table of what fails; notes on what got better and on other weights; one summary."""
    said: list[Table | str] = []
    failing = [one for one in findings if one.state in ("worse", "missing")]
    if failing:
        heads = ("metric", "pinned", "found", "difference", "fails on")
        table = Table("combination", *heads, box=SIMPLE_HEAD)
        for one in failing:
            cells = one.pinned, one.found, one.difference, one.why
            table.add_row(one.row.combination, one.row.metric, *cells)
        said.append(table)
    for one in findings:
        if one.state == "better":
            name = f"{one.row.combination} {one.row.metric}"
            said.append(
                f"note: {name} is better by more than the rule ({one.difference}): --pin it"
            )
    was, now = weights(before), weights(after)
    if was != now:
        said.append(f"note: the weights' SHA-256 begins with {now}, pinned {was}")
    count = Counter(one.state for one in findings)
    summary = f"{count['same'] + count['better']} numbers as pinned"
    if failing:
        summary = f"{count['worse']} regressed, {count['missing']} not compared, {summary}"
    return [*said, summary if findings else "nothing was measured that could be compared"]


def weights(rows: Rows) -> str:
    """The digests of the weights that rows were measured with."""
    digests = {row.conditions.get("weights_sha256") for row in rows.rows.values()}
    return ", ".join(sorted(filter(None, digests))) or "none"

"""The contract of meters."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any, ClassVar

import pytest

from htpbench.bench.job import job
from htpbench.bench.outcome import checked
from htpbench.measuring.context import Context
from htpbench.meters import Meter
from htpbench.study.study import Study
from htpbench.systems.catalogue import meter
from htpbench.systems.combination import Combination, parse
from htpbench.systems.registry import imported_files

LIGHT = """
import sys
from pathlib import Path
from htpbench.systems.registry import METERS, import_file
for path in sys.argv[2:]:
    import_file(Path(path))
METERS.load(sys.argv[1]).declared()
print(*sorted({"torch", "pandas", "optuna"} & set(sys.modules)))
"""


class MeterContract:
    """A meter as the runner and reports rely on it. Set `name`, what it is registered under.

    `study` has the fields of a study that are not usual, as its TOML file would.
    """

    name: str
    study: ClassVar[dict[str, Any]] = {}
    combinations: ClassVar[list[str]] = ["mixste.tiny-9", "mixste.tiny-9+tps:3@1+tri"]

    @property
    def meter(self) -> Meter:
        """The meter."""
        return meter(self.name)

    @property
    def context(self) -> Context:
        """What it measures with."""
        fields = {"meters": [self.name], "combinations": self.combinations, "weights": "random"}
        evaluation = {"windows": 2}
        study = {"name": "contract", "title": "", "evaluation": evaluation, **fields, **self.study}
        return Context(Study.model_validate(study))

    def parsed(self) -> list[Combination]:
        """The combinations it is tried on."""
        return [parse(text) for text in self.combinations]

    def test_its_declaration_loads_without_torch(self) -> None:
        """Whoever reads rows reads declarations, and must not wait for torch."""
        command = [sys.executable, "-c", LIGHT, self.name, *imported_files()]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not done.stdout.strip(), f"loads {done.stdout.strip()}; import it inside methods"

    def test_its_metrics_are_named_after_it(self) -> None:
        """Each once, as NAME.SOMETHING; what pairs one is by clip, and declared."""
        metrics = {metric.name: metric for metric in self.meter.declared()}
        assert metrics and len(metrics) == len(self.meter.declared()), "a metric twice, or none"
        for metric in metrics.values():
            assert metric.meter == self.name, f"{metric.name}: expected {self.name}.SOMETHING"
            for other in metric.paired_by:
                assert metrics[other].kind == "by_clip", f"{other} pairs {metric.name}"

    def test_conditions_are_plain_and_the_same_when_asked_again(self) -> None:
        """They are part of a key."""
        for one in self.parsed():
            first, again = (job(self.context, one, self.name) for _ in range(2))
            assert json.loads(json.dumps(first.conditions)) == first.conditions
            assert first.keys == again.keys

    def test_it_measures_what_applies(self) -> None:
        """All of it, nothing else, finite; one number, or a list with a label for each."""
        found = self.measured(self.parsed())
        assert found, "it measures nothing of these combinations; set others"
        for one, measured in found.items():
            if isinstance(measured, Exception):
                raise measured
            made = checked(job(self.context, one, self.name), measured)
            kinds = {metric.name: metric.kind for metric in self.meter.declared()}
            for name, each in made.items():
                if kinds[name] == "number":
                    assert isinstance(each.value, int | float), f"{name}: expected one number"
                    ends = [end for end in (each.low, each.high) if end is not None]
                    assert all(map(math.isfinite, ends)), f"{name}: {each}"
                else:
                    assert isinstance(each.value, list), f"{name}: expected a list of numbers"
                    assert len(each.value) == len(each.axis or ()), f"{name}: a label for each"

    def test_what_is_exact_is_the_same_when_measured_again(self) -> None:
        """Exact numbers are compared without an interval."""
        exact = {metric.name for metric in self.meter.declared() if metric.exact}
        if not exact:
            pytest.skip("nothing is exact")
        first, again = (self.measured(self.parsed()) for _ in range(2))
        for one in first:
            values = [
                {m.metric: m.value for m in found[one] if m.metric in exact}
                for found in (first, again)
            ]
            assert values[0] == values[1]

    def measured(self, combinations: list[Combination]) -> dict[Combination, Any]:
        """What it measures of those that have any of its metrics."""
        context = self.context
        asked = [one for one in combinations if self.meter.applies(context, one)]
        if self.meter.takes_many():
            return self.joined(context, asked)
        found = {}
        for one in asked:
            found[one] = self.meter.measure(context, one)
        return found

    def joined(self, context: Context, asked: list[Combination]) -> dict[Combination, Any]:
        """What it measures of many, all its processes being this one."""
        parts = []
        for number in range(self.meter.processes(context)):
            context.process = number
            parts.append(dict(self.meter.together(context, asked, lambda combination: None)))
        found = {}
        for one in asked:
            told = [part[one] for part in parts]
            failed = [each for each in told if isinstance(each, Exception)]
            found[one] = failed[0] if failed else self.meter.joined(told)
        return found

"""Combinations through their meters, cheapest first; what has a row is not measured again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch

from htpbench.combination import Combination
from htpbench.environment import commit
from htpbench.errors import BenchError, NotBuilt
from htpbench.lifter import build
from htpbench.meters import accuracy, cost
from htpbench.meters.controls import mean_pose
from htpbench.protocols import Measurement
from htpbench.rows import Row, Store, Writer, latest, row_key
from htpbench.setting import METERS, Setting
from htpbench.study import Study

# Controls stand where a combination stands; they are no networks.
MEAN_POSE = "control: mean pose"
EVERY_THIRD = "control: unpruned, every third frame"
Tell = Callable[[str], None]


class Bench(Setting):
    """A setting with a store: what has a row is taken from there, the rest is measured and kept."""

    def __init__(self, study: Study, results: Path, device: str = "cpu", seed: int = 0) -> None:
        super().__init__(study, device, seed)
        self.folder = results / self.machine
        self.commit = commit()

    def writer(self) -> Writer:
        """The file that this run appends to."""
        return Store(self.folder).writer(self.study.name, self.environment)

    @cached_property
    def held(self) -> dict[str, Row]:
        """The row that holds for each key; read once, when no other sweep can write any more."""
        return latest(Store(self.folder).read())

    def measure(
        self, combination: Combination, writer: Writer, tell: Tell = lambda text: None
    ) -> dict[str, Row]:
        """All metrics of a combination, from the store or measured now; a failure is a row too."""
        found: dict[str, Row] = {}
        for meter in METERS:
            if meter not in self.study.meters:
                continue
            keys = self.keys(combination, meter)
            if not self.settled(keys):
                tell(f"{combination}: {meter}")
                told = self.conditions(combination, meter)
                ask = partial(self.measurements, combination, meter)
                self.write(writer, str(combination), keys, told, ask)
            found |= {metric: self.held[key] for metric, key in keys.items() if key in self.held}
        return found

    def settled(self, keys: dict[str, str]) -> bool:
        """Whether every key has an ok row."""
        return all(key in self.held and self.held[key].status == "ok" for key in keys.values())

    def write(
        self,
        writer: Writer,
        name: str,
        keys: dict[str, str],
        told: dict[str, Any],
        ask: Callable[[], list[Measurement]],
    ) -> None:
        """Ask for measurements, then append a row for each metric that has no ok row yet."""
        try:
            measured = {one.metric: one for one in ask()}
            status, reason = "ok", None
            for one in measured.values():
                values = one.value if isinstance(one.value, list) else [one.value]
                if not all(map(math.isfinite, values)):
                    raise ValueError(f"{one.metric} is not finite")
        except NotBuilt as error:
            measured, status, reason = {}, "unsupported", str(error)
        except BenchError:
            raise  # the user's to mend, and nothing to do with this combination alone
        except Exception as error:  # one broken combination must not end a sweep
            measured, status, reason = {}, "failed", f"{type(error).__name__}: {error}"
        for metric, key in keys.items():
            if key in self.held and self.held[key].status == "ok":
                continue
            self.append(writer, name, metric, key, told, measured.get(metric), status, reason)

    def append(
        self,
        writer: Writer,
        name: str,
        metric: str,
        key: str,
        told: dict[str, Any],
        one: Measurement | None,
        status: str = "ok",
        reason: str | None = None,
    ) -> None:
        """One row, on the disk before it counts."""
        row = Row(
            key=key,
            study=self.study.name,
            combination=name,
            metric=metric,
            value=one.value if one else None,
            unit=one.unit if one else "",
            low=one.low if one else None,
            high=one.high if one else None,
            samples=one.samples if one else None,
            axis=one.axis if one else None,
            status=status,
            reason=one.note if one else reason,
            conditions=told,
            environment=self.environment["id"],
            commit=self.commit,
        )
        writer.append(row)
        self.held[key] = row

    def control(self, writer: Writer, tell: Tell = lambda text: None) -> list[Row]:
        """What pruning must beat, on the anchor's windows; [] in a study without accuracy.

        The mean pose, the unpruned network, and that network on every third frame.
        """
        if "accuracy" not in self.study.meters:
            return []
        _ = self.trained  # a wrong name should end the run before anything is measured
        anchor = self.study.anchor()
        here, base = self.under(pipeline=self.pipeline(anchor)), anchor.unpruned
        evaluation, told = here.evaluation(base), here.conditions(base, "accuracy")
        blind = {**evaluation.card, "control": "mean pose"}
        thirds = {**told, "control": "every third frame"}
        plan: list[tuple[str, dict, Callable[[], list[Measurement]]]] = [
            (MEAN_POSE, blind, lambda: accuracy.measure(mean_pose(evaluation), evaluation)),
            (str(base), told, lambda: here.measurements(base, "accuracy")),
            (EVERY_THIRD, thirds, lambda: here.every_third(base)),
        ]
        rows = []
        for name, told, ask in plan:
            metrics = accuracy.measurable(evaluation)
            keys = {m: row_key(name, m, told, accuracy.VERSION) for m in metrics}
            if not self.settled(keys):
                tell(f"{name}: accuracy")
                self.write(writer, name, keys, told, ask)
            rows += [self.held[key] for key in keys.values()]
        return rows


def run(bench: Bench, combinations: Iterable[Combination], tell: Tell) -> list[Row]:
    """Measure combinations one after the other."""
    with bench.writer() as writer:
        rows = bench.control(writer, tell)
        for combination in combinations:
            rows += bench.measure(combination, writer, tell).values()
    return rows


def count(
    combinations: Iterable[Combination], bench: Bench | None, tell: Tell
) -> tuple[list[dict[str, Any]], list[str]]:
    """Costs as plain numbers, and the combinations left out because a part is not built.

    With a bench its rows are used and extended; without one nothing is kept.
    """
    counted, left_out = [], []
    with bench.writer() if bench else nullcontext() as writer:
        for combination in combinations:
            tell(str(combination))
            if combination.missing():
                left_out.append(str(combination))
                continue
            if bench and writer:
                rows = bench.measure(combination, writer).values()
                for row in rows:
                    if row.status != "ok":
                        raise BenchError(f"{combination}: {row.metric} {row.status}: {row.reason}")
                found = {row.metric: (row.value, row.reason) for row in rows}
            else:
                with torch.device("meta"):
                    measured = cost.measure(build(combination))
                found = {one.metric: (one.value, one.note) for one in measured}
            numbers = {name.partition(".")[2]: value for name, (value, _) in found.items()}
            note = next((note for _, note in found.values() if note), None)
            counted.append({"combination": str(combination), **numbers, "note": note})
    return counted, left_out

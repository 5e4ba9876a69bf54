"""Combinations through their meters, cheapest first; what has a row is not measured again."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch

from htpbench.bench.claims import ELSEWHERE_S, Claims
from htpbench.bench.context import METERS, TIMED, Setting, Watch, check_device
from htpbench.bench.devices import TimedOut, deadline, device_lock
from htpbench.bench.environment import commit
from htpbench.errors import BenchError, Faulty, NotBuilt, Pruned, interruption
from htpbench.meters import accuracy, cost
from htpbench.meters.controls import mean_pose
from htpbench.network.build import build
from htpbench.outside.progress import Tick
from htpbench.records.index import ATTEMPTS, Known
from htpbench.records.measurement import Measurement
from htpbench.records.row import MOST_VALUES
from htpbench.records.rows import Row, Store, Writer, row_key
from htpbench.study.study import Study
from htpbench.systems.combination import Combination

# Controls stand where a combination stands; they are no networks.
MEAN_POSE = "control: mean pose"
EVERY_THIRD = "control: unpruned, every third frame"
BOUNDED = "accuracy.mpjpe"
LONGEST = 2000  # characters of a reason
Tell = Callable[[str], None]
Ask = Callable[[], list[Measurement]]
Until = Callable[[dict[str, Row], str], str | None]  # rows so far, a meter: why not to ask it


class Unit(NamedTuple):
    """What is claimed and measured at once: one meter of one combination, or a control."""

    name: str
    meter: str
    keys: dict[str, str]  # metric -> key
    told: dict[str, Any]  # conditions

    @property
    def claim(self) -> str:
        """What a claim of it is called."""
        return " ".join(sorted(self.keys.values()))


def bound(stop: Pruned) -> Measurement:
    """What is known of an MPJPE that was given up: no value, but how low it can be."""
    return Measurement(BOUNDED, None, "mm", low=stop.least, note=str(stop))  # type: ignore[arg-type]


def because(error: Exception) -> str:
    """Why a measurement failed; what fills the memory says so in several ways.

    Raises KeyboardInterrupt where it did not fail but was stopped.
    """
    if stop := interruption(error):
        raise stop
    said = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or re.search(r"out of memory|allocate memory", said):
        torch.cuda.empty_cache()  # nothing where CUDA was not used
        said = f"out of memory: {said.splitlines()[0]}"
    return said[:LONGEST]


class Bench(Setting):
    """A setting with a store: what has a row is taken from there, the rest is measured and kept.

    A measurement that takes longer than `timeout` seconds is given up. What failed too often is
    measured again with `retry` alone.
    """

    def __init__(
        self,
        study: Study,
        results: Path,
        device: str = "cpu",
        seed: int = 0,
        timeout: float | None = None,
        retry: bool = False,
    ) -> None:
        super().__init__(study, device, seed)
        self.folder = results / self.machine
        self.commit = commit()
        self.timeout = timeout
        self.known = Known(Store(self.folder), retry)
        self.claims = Claims(self.folder / "claims", max(ELSEWHERE_S, 2 * (timeout or 0)))

    def writer(self) -> Writer:
        """The file that this run appends to."""
        return self.known.store.writer(self.study.name, self.environment)

    @property
    def held(self) -> dict[str, Row]:
        """The row that holds for each key."""
        self.known.begin()
        return self.known.rows

    def measure(
        self,
        combination: Combination,
        writer: Writer,
        tell: Tell = lambda text: None,
        until: Until | None = None,
        wait: bool = True,
        watch: Watch | None = None,
    ) -> dict[str, Row]:
        """All metrics of a combination, from the store or measured now; a failure is a row too.

        Before each meter `until` is asked, with the rows so far and the meter's name; the reason
        that it may return makes the meter's metrics `pruned`. `watch` gets poses as they come and
        may raise Pruned. What another worker measures at this moment is waited for, or with `wait`
        off raises Busy.
        """
        found: dict[str, Row] = {}
        for meter in METERS:
            if meter not in self.study.meters:
                continue
            keys = self.keys(combination, meter)
            if not self.settled(keys):
                tell(f"{combination}: {meter}")
                unit = Unit(str(combination), meter, keys, self.conditions(combination, meter))
                ask = partial(self.measurements, combination, meter, watch)
                why = partial(until, found, meter) if until else None
                self.write(writer, unit, ask, why, wait)
            found |= {metric: self.held[key] for metric, key in keys.items() if key in self.held}
        return found

    def settled(self, keys: dict[str, str]) -> bool:
        """Whether no key needs to be measured now."""
        self.known.begin()
        return all(map(self.known.settled, keys.values()))

    def write(
        self,
        writer: Writer,
        unit: Unit,
        ask: Ask,
        why: Callable[[], str | None] | None = None,
        wait: bool = True,
    ) -> None:
        """Ask for measurements, then append a row for each metric that has no ok row yet."""
        with self.claims.hold(unit.claim, wait) as deaths:
            self.known.refresh()  # whoever held the claim before may have measured it
            if self.settled(unit.keys):
                return
            reason = why() if why else None
            if reason is None:
                measured, status, reason = self.outcome(unit, ask, deaths)
            else:
                measured, status = {}, "pruned"
            for metric, key in unit.keys.items():
                before = self.held.get(key)
                if before and before.status == "ok":
                    continue
                if before and before.status == status and status in ("pruned", "unsupported"):
                    self.known.tried.add(key)  # it has been said
                    continue
                self.append(writer, unit, metric, key, measured.get(metric), status, reason)

    def outcome(
        self, unit: Unit, ask: Ask, deaths: int
    ) -> tuple[dict[str, Measurement], str, str | None]:
        """What was measured, or the status and the reason why nothing was.

        Everything but time is measured on a device that is shared with other workers. The limit
        does not count the waiting for it.
        """
        check_device(self.device)  # what broke it (CUDA: for good) has its row, the others wait
        if deaths >= ATTEMPTS:
            return {}, "failed", f"{deaths} processes died while measuring it (out of memory?)"
        try:
            with device_lock(self.device, unit.meter not in TIMED), deadline(self.timeout):
                measured = {one.metric: one for one in ask()}
            for one in measured.values():
                values = one.value if isinstance(one.value, list) else [one.value]
                if not all(map(math.isfinite, values)):
                    raise ValueError(f"{one.metric} is not finite")
                if len(values) > MOST_VALUES:
                    raise ValueError(f"{one.metric} has {len(values)} values, over {MOST_VALUES}")
        except NotBuilt as error:
            return {}, "unsupported", str(error)
        except Faulty as error:
            return {}, "failed", str(error)
        except BenchError:
            raise  # the user's to mend, and nothing to do with this combination alone
        except TimedOut as error:
            return {}, "timeout", str(error)
        except Pruned as stop:
            return {BOUNDED: bound(stop)}, "pruned", str(stop)
        except Exception as error:  # one broken combination must not end a sweep
            return {}, "failed", because(error)
        return measured, "ok", None

    def append(
        self,
        writer: Writer,
        unit: Unit,
        metric: str,
        key: str,
        one: Measurement | None,
        status: str = "ok",
        reason: str | None = None,
    ) -> None:
        """One row, on the disk before it counts."""
        row = Row(
            key=key,
            study=self.study.name,
            combination=unit.name,
            metric=metric,
            value=one.value if one else None,
            unit=one.unit if one else "",
            low=one.low if one else None,
            high=one.high if one else None,
            samples=one.samples if one else None,
            axis=one.axis if one else None,
            status=status,
            reason=one.note if one else reason,
            conditions=unit.told,
            environment=self.environment["id"],
            commit=self.commit,
        )
        writer.append(row)
        self.known.add(row)

    def control(
        self, writer: Writer, tell: Tell = lambda text: None, wait: bool = True
    ) -> list[Row]:
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
        plan: list[tuple[str, dict, Ask]] = [
            (MEAN_POSE, blind, lambda: accuracy.measure(mean_pose(evaluation), evaluation)),
            (str(base), told, lambda: here.measurements(base, "accuracy")),
            (EVERY_THIRD, thirds, lambda: here.every_third(base)),
        ]
        rows = []
        for name, told, ask in plan:
            sampled = name == str(base) and bool(here.sampled(base))
            metrics = accuracy.measurable(evaluation, sampled=sampled)
            keys = {m: row_key(name, m, told, accuracy.VERSION) for m in metrics}
            if not self.settled(keys):
                tell(f"{name}: accuracy")
                self.write(writer, Unit(name, "accuracy", keys, told), ask, wait=wait)
            rows += [self.held[key] for key in keys.values()]
        return rows


def run(bench: Bench, combinations: Sequence[Combination], tick: Tick) -> list[Row]:
    """Measure combinations one after the other."""
    with bench.writer() as writer:
        rows = bench.control(writer, partial(tick, 0, len(combinations)))
        for done, combination in enumerate(combinations):
            tell = partial(tick, done, len(combinations))
            rows += bench.measure(combination, writer, tell).values()
            tick(done + 1, len(combinations), str(combination))
    return rows


def succeeded(study: Study, rows: Iterable[Row]) -> bool:
    """Whether anything that was asked for was measured; controls were not asked for."""
    anchor = study.anchor().unpruned
    unasked = {MEAN_POSE, EVERY_THIRD} | ({str(anchor)} - set(map(str, study.parsed())))
    return any(row.status == "ok" and row.combination not in unasked for row in rows)


def count(
    combinations: Iterable[Combination], bench: Bench | None, tell: Tell
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Costs as plain numbers, and of each combination that is left out the reason.

    With a bench its rows are used and extended; without one nothing is kept.
    """
    counted: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    with bench.writer() if bench else nullcontext() as writer:
        for combination in combinations:
            tell(str(combination))
            if missing := combination.missing():
                left_out[str(combination)] = f"not built: {', '.join(missing)}"
                continue
            try:
                found = costs(combination, bench, writer)
            except Faulty as error:
                left_out[str(combination)] = str(error)
                continue
            except BenchError:
                raise
            except Exception as error:  # as in a sweep, one alone is broken
                left_out[str(combination)] = because(error)
                continue
            numbers = {name.partition(".")[2]: value for name, (value, _) in found.items()}
            note = next((note for _, note in found.values() if note), None)
            counted.append({"combination": str(combination), **numbers, "note": note})
    return counted, left_out


def costs(
    combination: Combination, bench: Bench | None, writer: Writer | None
) -> dict[str, tuple[Any, str | None]]:
    """Each metric of the cost of a combination, with its note; raises where it failed."""
    if bench and writer:
        rows = bench.measure(combination, writer).values()
        for row in rows:
            if row.status != "ok":
                raise RuntimeError(f"{row.metric} {row.status}: {row.reason}")
        return {row.metric: (row.value, row.reason) for row in rows}
    with torch.device("meta"):
        measured = cost.measure(build(combination))
    return {one.metric: (one.value, one.note) for one in measured}

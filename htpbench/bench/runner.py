"""Combinations through their meters, cheapest first; what has a row is not measured again."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

from htpbench.bench.claims import ELSEWHERE_S, Claims
from htpbench.bench.controls import CONTROLS, Ask, controls
from htpbench.bench.devices import deadline, device_lock
from htpbench.bench.job import Job, job
from htpbench.bench.outcome import Outcome, checked, failure, told
from htpbench.bench.together import measure_together
from htpbench.measuring.context import Context
from htpbench.measuring.environment import check_device, commit
from htpbench.meters import Watch
from htpbench.outside.progress import Tick
from htpbench.records.index import ATTEMPTS, RowIndex
from htpbench.records.measurement import Measurement
from htpbench.records.row import Row
from htpbench.records.rows import Writer
from htpbench.records.sessions import noise
from htpbench.study.study import Study
from htpbench.systems.catalogue import meter, meters
from htpbench.systems.combination import Combination

Tell = Callable[[str], None]
StopRule = Callable[[dict[str, Row], str], str | None]  # rows so far, a meter: why not to ask it


class Runner:
    """A context with a store: what has a row is taken from there, the rest is measured and kept.

    A measurement that takes longer than `timeout` seconds is given up. What failed too often, or
    was timed on a busy machine, is measured again with `retry` alone. Before time is measured the
    machine may have `quiet_s` seconds to become quiet.
    """

    def __init__(
        self,
        context: Context,
        results: Path,
        timeout: float | None = None,
        retry: bool = False,
        quiet_s: float = 0.0,
    ) -> None:
        self.context = context
        self.folder = results / context.machine
        self.commit = commit()
        self.timeout = timeout
        self.quiet_s = quiet_s
        self.index = RowIndex(results, context.machine, retry)
        longest_s = max(ELSEWHERE_S, 2 * (timeout or 0))
        self.claims = Claims(self.folder / "claims", longest_s)  # of what is the machine's
        self.shared = Claims(results / "claims", longest_s)  # of what is the same on all machines

    @property
    def study(self) -> Study:
        """What is measured."""
        return self.context.study

    def under(self, **changes: Any) -> Self:
        """The same runner with fields of its study changed."""
        other = copy.copy(self)
        other.context = self.context.under(**changes)
        return other

    def writer(self) -> Writer:
        """The file that this run appends to."""
        return self.index.own.writer(self.study.name, self.context.environment)

    @property
    def held(self) -> dict[str, Row]:
        """The row that holds for each key."""
        self.index.begin()
        return self.index.rows

    def settled(self, keys: dict[str, str]) -> bool:
        """Whether no key needs to be measured now."""
        self.index.begin()
        return all(map(self.index.settled, keys.values())) and not self.doubtful(keys)

    def doubtful(self, keys: dict[str, str]) -> bool:
        """Whether these are times of a busy machine, which are to be measured again."""
        if not self.index.retry or self.index.tried.issuperset(keys.values()):
            return False
        card = {one: self.held[key] for one, key in keys.items() if key in self.held}
        ok = {one: row for one, row in card.items() if row.status == "ok"}
        return any(noise(one, ok) for one in ok)

    def by_size(self) -> list[Self]:
        """The same at each batch size of the study's [timing] alone, in the order given."""
        return [self.under(timing=one) for one in self.study.timing.by_size()]

    def keys(self, combination: Combination, name: str) -> dict[str, str]:
        """The key of each metric that a meter has for a combination."""
        return job(self.context, combination, name).keys

    def conditions(self, combination: Combination, name: str) -> dict[str, Any]:
        """How a meter measures a combination: what two rows must share to be compared."""
        return job(self.context, combination, name).conditions

    def measure(
        self,
        combination: Combination,
        writer: Writer,
        tell: Tell = lambda text: None,
        stop_rule: StopRule | None = None,
        wait: bool = True,
        watch: Watch | None = None,
        many: bool = True,
    ) -> dict[str, Row]:
        """All metrics of a combination, from the store or measured now; a failure is a row too.

        Before each meter the stop rule is asked, with the rows so far and the meter's name; the
        reason that it may return makes the meter's metrics `pruned`. `watch` gets poses as they
        come and may raise Pruned. What another worker measures at this moment is waited for, or
        with `wait` off raises Busy. `many` off leaves out the meters that take many combinations.
        """
        found: dict[str, Row] = {}
        for name in self.meters():
            wanted = job(self.context, combination, name)
            together = meter(name).takes_many()
            if not self.settled(wanted.keys) and (many or not together):
                tell(f"{combination}: {name}")
                stopped = stop_rule and partial(stop_rule, found, name)
                if together:
                    self.together(name, [combination], writer, tell, lambda _, s=stopped: s and s())
                else:
                    ask = partial(meter(name).measure, self.context, combination, watch)
                    self.write(writer, wanted, ask, stopped, wait)
            found |= self.known(wanted)
        return found

    def together(
        self,
        name: str,
        combinations: Iterable[Combination],
        writer: Writer,
        tell: Tell,
        stopped: Callable[[Combination], str | None] = lambda combination: None,
    ) -> None:
        """All that a meter measures of many combinations, but those that are stopped.

        At each batch size of the study, where it names several.
        """
        combinations = [*combinations]
        for sized in self.by_size():
            wanted = []
            for one in combinations:
                pruned = job(sized.context, one, name)
                if not sized.settled(pruned.keys) and (reason := stopped(one)):
                    sized.keep(writer, pruned, ({}, "pruned", reason))
                else:
                    wanted.append(one)
            measure_together(sized, name, wanted, writer, tell)

    def known(self, wanted: Job) -> dict[str, Row]:
        """The rows that hold for a job, by metric."""
        return {one: self.held[key] for one, key in wanted.keys.items() if key in self.held}

    def rows(self, combination: Combination) -> dict[str, Row]:
        """The rows that hold for a combination, by metric."""
        found = (self.known(job(self.context, combination, name)) for name in self.meters())
        return {metric: row for rows in found for metric, row in rows.items()}

    def at_all_sizes(self, combination: Combination) -> list[Row]:
        """The rows that hold for a combination at each batch size of the study, each once."""
        found = [row for sized in self.by_size() for row in sized.rows(combination).values()]
        return list({row.key: row for row in found}.values())

    def meters(self, many: bool | None = None) -> list[str]:
        """The study's meters in their turn; those that take many combinations, or the others."""
        asked = [name for name in meters() if name in self.study.meters]
        return [name for name in asked if many in (None, meter(name).takes_many())]

    def write(
        self,
        writer: Writer,
        wanted: Job,
        ask: Ask,
        stopped: Callable[[], str | None] | None = None,
        wait: bool = True,
    ) -> None:
        """Ask for measurements, then append a row for each metric that has no ok row yet."""
        with self.claims_of(wanted.meter).hold(wanted.claim, wait) as deaths:
            self.index.refresh()  # whoever held the claim before may have measured it
            if self.settled(wanted.keys):
                return
            reason = stopped() if stopped else None
            outcome = ({}, "pruned", reason) if reason else self.outcome(wanted, ask, deaths)
            self.keep(writer, wanted, outcome)

    def claims_of(self, name: str) -> Claims:
        """The claims of a meter: this machine's, or those of all where its numbers are the same."""
        return self.claims if meter(name).exclusive else self.shared

    def keep(self, writer: Writer, wanted: Job, outcome: Outcome) -> None:
        """Append a row for each metric that has no ok row yet, nor one that says the same."""
        measured, status, reason = outcome
        again = status == "ok" and self.doubtful(wanted.keys)
        for name, key in wanted.keys.items():
            before = self.held.get(key)
            if before and before.status == "ok" and not again:
                continue
            if before and before.status == status and status in ("pruned", "unsupported"):
                self.index.tried.add(key)  # it has been said
                continue
            self.append(writer, wanted, name, measured.get(name), status, reason)

    def outcome(self, wanted: Job, ask: Ask, deaths: int) -> Outcome:
        """What was measured, or the status and the reason why nothing was.

        Everything but time is measured on a device that is shared with other workers. The limit
        does not count the waiting for it.
        """
        device = self.context.device
        check_device(device)  # what broke it (CUDA: for good) has its row, the others wait
        if deaths >= ATTEMPTS:
            return {}, "failed", f"{deaths} processes died while measuring it (out of memory?)"
        try:
            shared = not meter(wanted.meter).exclusive
            with device_lock(device, shared), deadline(self.timeout):
                return checked(wanted, ask()), "ok", None
        except (Exception, SystemExit) as error:  # a meter of another may call sys.exit
            return failure(error)

    def append(
        self,
        writer: Writer,
        wanted: Job,
        name: str,
        one: Measurement | None,
        status: str = "ok",
        reason: str | None = None,
    ) -> None:
        """One row, on the disk before it counts."""
        row = Row(
            key=wanted.keys[name],
            study=self.study.name,
            combination=wanted.name,
            status=status,
            **(told(one) if one else {"metric": name, "unit": "", "reason": reason}),
            conditions=wanted.conditions,
            environment=self.context.environment["id"],
            commit=self.commit,
        )
        writer.append(row)
        self.index.add(row)

    def control(
        self, writer: Writer, tell: Tell = lambda text: None, wait: bool = True
    ) -> list[Row]:
        """The rows of the study's controls; [] in a study without accuracy."""
        rows = []
        for wanted, ask in controls(self.context):
            if not self.settled(wanted.keys):
                tell(f"{wanted.name}: {wanted.meter}")
                self.write(writer, wanted, ask, wait=wait)
            rows += [self.held[key] for key in wanted.keys.values()]
        return rows


def run(runner: Runner, combinations: Sequence[Combination], tick: Tick) -> list[Row]:
    """Measure combinations one after the other, then together where a meter takes many."""
    with runner.writer() as writer:
        rows = runner.control(writer, partial(tick, 0, len(combinations)))
        for done, combination in enumerate(combinations):
            tell = partial(tick, done, len(combinations))
            runner.measure(combination, writer, tell, many=False)
            tick(done + 1, len(combinations), str(combination))
        for name in runner.meters(many=True):
            tell = partial(tick, len(combinations), len(combinations))
            runner.together(name, combinations, writer, tell)
    return rows + [row for one in combinations for row in runner.at_all_sizes(one)]


def succeeded(study: Study, rows: Iterable[Row]) -> bool:
    """Whether anything that was asked for was measured; controls were not asked for."""
    base = study.reference_combination().unpruned
    unasked = CONTROLS | ({str(base)} - set(map(str, study.parsed())))
    return any(row.status == "ok" and row.combination not in unasked for row in rows)

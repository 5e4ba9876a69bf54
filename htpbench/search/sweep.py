"""Sweeps: what a study lists is measured, then Optuna asks and the runner answers."""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import optuna
from optuna.storages import fail_stale_trials
from optuna.storages._heartbeat import get_heartbeat_thread  # as study.optimize does it
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from htpbench.bench.claims import OTHERS, alive, here, in_turn, myself
from htpbench.bench.runner import Runner
from htpbench.errors import unknown
from htpbench.measuring.context import foreign_code
from htpbench.outside.progress import Tick
from htpbench.outside.waiting import PAUSE_S, Waiting
from htpbench.records.row import Row
from htpbench.search.cascade import Cascade
from htpbench.search.storage import SystemLock, open_storage, talking
from htpbench.search.suggest import excesses, sampler, suggest
from htpbench.study import space
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.combination import Combination, parse
from htpbench.systems.registry import PRUNERS, RECOVERERS

CONTENTS = ("fingerprint", "weights_sha256", "code")  # conditions that say what files hold
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def sweep(
    runner: Runner,
    tick: Tick = lambda done, total, text: None,
    storage: str | None = None,
) -> list[Row]:
    """Measure the study's combinations, then search its space; returns the rows in that order.

    Any number of processes may do this at once and share the work. The storage serves the search
    alone: what was measured stands in the rows, so a sweep that was killed resumes, and nothing
    that has a row is measured again.
    """
    check_objectives(runner.study)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    listed, many = space.listed(runner.study), runner.meters(many=True)
    total = len(listed) + space.asked(runner.study)
    rows: dict[Combination | None, list[Row]] = {}
    with runner.writer() as writer, talking(storage):
        trials = Trials(runner, storage, writer.number)
        cascade = Cascade(runner, lambda: [*listed, *trials.searched()])

        def work(combination: Combination | None) -> None:
            tell = partial(tick, len(rows.keys() - {None}), total)
            if combination is None:
                rows[None] = runner.control(writer, tell, wait=False)
                return
            judge = cascade.judge(combination)
            watch = judge and judge.watch
            alone = {"wait": False, "watch": watch, "many": False}
            found = runner.measure(combination, writer, tell, judge, **alone)
            rows[combination] = list(found.values())
            if not many:
                trials.note(combination, found)
            tick(len(rows.keys() - {None}), total, str(combination))

        def together(combinations: list[Combination]) -> None:
            for name in many:
                tell = partial(tick, len(rows.keys() - {None}), total)
                runner.together(name, combinations, writer, tell, partial(stopped, name))
            for combination in combinations if many else ():
                rows[combination] = runner.at_all_sizes(combination)
                trials.note(combination, runner.rows(combination))

        def stopped(name: str, combination: Combination) -> str | None:
            judge = cascade.judge(combination)
            return judge and judge(runner.rows(combination), name)

        in_turn([None, *listed], work)
        together(listed)
        for done, trial in trials.wanted():
            tell = partial(tick, len(listed) + done, total)
            tell("searching")
            with trials.running(trial):
                combination = suggest(trial, runner.study.search)  # type: ignore[arg-type]
                trial.set_user_attr("combination", str(combination))
                judge = cascade.judge(combination)
                watch = judge and judge.watch
                found = runner.measure(combination, writer, tell, judge, watch=watch)
                trials.answer(trial, found)
            rows[combination] = runner.at_all_sizes(combination)
            tick(len(listed) + done + 1, total, str(combination))
        others = [each for each in trials.searched() if each not in rows]
        in_turn(others, work)
        together(others)
    ordered = dict.fromkeys([None, *listed, *rows])
    return list({row.key: row for place in ordered for row in rows[place]}.values())


def check_objectives(study: Study) -> None:
    """BenchError for objectives that no meter of the study measures: no trial could succeed."""
    known = catalogue.numbers(study.meters)
    for objective in study.objectives:
        if objective not in known and (study.search or "objectives" in study.model_fields_set):
            raise unknown("objective", objective, known)
    for one in study.constraints():
        if one.metric not in known:
            raise unknown("metric of a constraint", one.metric, known)


class Trials:
    """The Optuna study of a runner's conditions, shared by all workers."""

    def __init__(self, runner: Runner, storage: str | None, number: int) -> None:
        self.study, self.objectives = runner.study, runner.study.objectives
        usual = () if runner.context.ran_by else ("engine", "precision")  # as before there were any
        conditions = (
            runner.study.model_dump(exclude={"title", "imports", "slurm", *usual}),
            runner.context.seed,
            runner.context.device.partition(":")[0],  # workers on GPUs of their own share trials
            *contents(runner),
        )
        digest = hashlib.sha256(json.dumps(conditions).encode()).hexdigest()[:8]
        name = f"{runner.study.name}-{digest}"
        # Whoever asks holds this lock, so that a RUNNING trial without an owner has a dead one.
        self.lock = SystemLock(runner.folder / f"{runner.study.name}.trials")
        with self.lock:
            self.all = optuna.create_study(
                storage=open_storage(storage, runner.folder / f"{runner.study.name}.journal"),
                study_name=f"{runner.context.machine}/{name}" if storage else name,
                directions=[
                    StudyDirection.MAXIMIZE
                    if catalogue.metric(name).better == "more"
                    else StudyDirection.MINIMIZE
                    for name in self.objectives
                ],
                load_if_exists=True,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                self.all.set_metric_names(self.objectives)  # for whoever looks at the trials
            self.bury()
        # A sampler of its own for each start and worker: the same seed would draw the same again.
        seed = runner.context.seed + len(self.all.get_trials(deepcopy=False)) + 10_007 * number
        self.all.sampler = sampler(runner.study.search, seed % 2**32)  # as numpy takes it
        self.noted = {trial.user_attrs["combination"] for trial in self.ended()}
        self.failed = 0  # trials of this worker: they count, or it would never end

    def ended(self) -> list[FrozenTrial]:
        """The trials that have an answer."""
        return self.all.get_trials(deepcopy=False, states=ENDED)

    def searched(self) -> list[Combination]:
        """What the search chose, each once."""
        asked = [trial for trial in self.ended() if trial.params]
        return list(dict.fromkeys(parse(trial.user_attrs["combination"]) for trial in asked))

    def bury(self) -> None:
        """Fail the RUNNING trials of dead workers; the lock must be held."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            fail_stale_trials(self.all)  # where the storage has a heartbeat
        for trial in self.all.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            started = trial.datetime_start or datetime.now()
            age_s = (datetime.now() - started).total_seconds()
            worker = trial.user_attrs.get("worker")
            if worker is None or not alive(worker, age_s):
                self.all.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def wanted(self) -> Iterator[tuple[int, optuna.Trial]]:
        """Trials to answer, after how many, until all workers together have enough."""
        asked = space.asked(self.study)
        waiting = Waiting(OTHERS)
        while asked:
            with self.lock:
                self.bury()
                # One look: what ends between two would be in neither.
                seen = self.all.get_trials(deepcopy=False, states=(*ENDED, TrialState.RUNNING))
                running = [trial for trial in seen if trial.state == TrialState.RUNNING]
                done = sum(trial.state in ENDED and bool(trial.params) for trial in seen)
                trial = None
                if done + len(running) + self.failed < asked:
                    trial = self.all.ask()
                    trial.set_user_attr("worker", myself())
            if trial is not None:
                yield done, trial
                waiting = Waiting(OTHERS)
            elif running:
                waiting.look(partial(map, owner, running))
                time.sleep(PAUSE_S)  # its worker may die
            else:
                return

    @contextmanager
    def running(self, trial: optuna.Trial) -> Iterator[None]:
        """Show that the trial's worker lives; whatever ends the block early fails the trial."""
        try:
            with get_heartbeat_thread(trial._trial_id, self.all._storage):
                yield
        except BaseException:
            self.all.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise

    def answer(self, trial: optuna.Trial, found: dict[str, Row]) -> None:
        """Tell Optuna the objectives, or that the trial was pruned or failed."""
        for text, excess in excesses(self.study.search, found).items():
            trial.set_constraint(text, excess)
        state, values = trial_state(found, self.study)
        self.all.tell(trial, values, state)
        self.failed += state == TrialState.FAIL

    def note(self, combination: Combination, found: dict[str, Row]) -> None:
        """Add a combination that the search did not choose, for dashboards, unless it is there."""
        state, values = trial_state(found, self.study)
        if str(combination) in self.noted:
            return
        with self.lock:
            self.noted = {trial.user_attrs["combination"] for trial in self.ended()}
            if str(combination) not in self.noted:
                frozen = optuna.trial.create_trial(
                    state=state,
                    values=values,
                    user_attrs={"combination": str(combination)},
                    constraints=excesses(self.study.search, found),
                )
                self.all.add_trial(frozen)


def contents(runner: Runner) -> list[dict[str, Any]]:
    """What files hold that answers depend on, of data, weights and code of others; [] of none.

    Whoever changes them searches anew, as what is listed is measured anew.
    """
    study, search = runner.study, runner.study.search
    decide = catalogue.measured_by([*study.objectives, *constrained(study)])
    decide = [name for name in decide if name in study.meters]
    every = dict.fromkeys([study.reference_combination(), *study.searched()])
    told = [runner.conditions(one, meter) for one in every for meter in decide]
    told = [{name: one[name] for name in CONTENTS if name in one} for one in told]
    if search is not None:
        parts = [(PRUNERS, one.name) for one in search.choosing]
        told.append(foreign_code([*parts, *((RECOVERERS, one.name) for one in search.recovering)]))
    return [one for one in told if one]


def constrained(study: Study) -> list[str]:
    """The metrics of a study's constraints."""
    return [one.metric for one in study.constraints()]


def owner(trial: FrozenTrial) -> int:
    """The process of this host that works at a trial; 0 where there is none."""
    return here(trial.user_attrs.get("worker") or {})


def trial_state(found: dict[str, Row], study: Study) -> tuple[TrialState, list[float] | None]:
    """A trial's state, and its values where all that decides was measured.

    A constraint that is not known is not kept, and Optuna takes it for kept.
    """
    needed = [*study.objectives, *constrained(study)]
    rows = {metric: found.get(metric) for metric in needed}
    statuses = {row.status if row else "failed" for row in rows.values()}
    if statuses == {"ok"}:
        values = [rows[metric].value for metric in study.objectives]  # type: ignore[union-attr]
        return TrialState.COMPLETE, values  # type: ignore[return-value]
    pruned = "pruned" in statuses and statuses <= {"ok", "pruned"}
    return TrialState.PRUNED if pruned else TrialState.FAIL, None

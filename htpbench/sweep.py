"""Sweeps: Optuna asks, the bench answers from its rows or measures. The only importer of optuna."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import TrialState

from htpbench.combination import Combination, Part, parse
from htpbench.errors import unknown
from htpbench.rows import Row
from htpbench.run import Bench
from htpbench.setting import LISTS, METERS
from htpbench.study import HIGHER_IS_BETTER, Search, Study

Tick = Callable[[int, int, str], None]


def sweep(bench: Bench, tick: Tick = lambda done, total, text: None) -> list[Row]:
    """Measure the study's combinations, then search its space; returns the rows in that order.

    The journal serves the search alone: what was measured stands in the rows, so a sweep that was
    killed resumes, and nothing that has a row is measured again. BenchError while another sweep
    of the same study writes to the same results.
    """
    check_objectives(bench.study)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    listed, search = bench.study.parsed(), bench.study.search
    total = len(listed) + (search.trials if search else 0)
    with bench.writer() as writer:
        rows = {row.key: row for row in bench.control(writer, partial(tick, 0, total))}
        trials = open_trials(bench)
        told, searched = finished(trials)
        plan: list[Combination | None] = [*listed, *searched]
        plan += [None] * (total - len(plan))  # None: the search has still to say
        for done, combination in enumerate(plan):
            trial = None
            if combination is None or str(combination) not in told:
                trial = trials.ask()
                combination = combination or suggest(trial, search)  # type: ignore[arg-type]
                trial.set_user_attr("combination", str(combination))
            found = bench.measure(combination, writer, partial(tick, done, total))
            rows |= {row.key: row for row in found.values()}
            if trial is not None:
                answer(trials, trial, found, bench.study.objectives)
            tick(done + 1, total, str(combination))
    return list(rows.values())


def check_objectives(study: Study) -> None:
    """BenchError for objectives that no meter of the study measures: no trial could succeed."""
    known = [
        metric for meter in study.meters for metric in METERS[meter].METRICS if metric not in LISTS
    ]
    for objective in study.objectives:
        if objective not in known and (study.search or "objectives" in study.model_fields_set):
            raise unknown("objective", objective, known)


def finished(trials: optuna.Study) -> tuple[set[str], list[Combination]]:
    """Combinations that have a complete trial, and those of them that the search chose."""
    complete = trials.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    told = {trial.user_attrs["combination"] for trial in complete}
    searched = [parse(trial.user_attrs["combination"]) for trial in complete if trial.params]
    return told, searched


def suggest(trial: optuna.Trial, search: Search) -> Combination:
    """A combination of the space; r are sorted falling and b rising, repeats dropped.

    So every draw is valid and the space keeps one shape; several draws may name one combination.
    """
    base = parse(search.backbone)
    blocks = base.card.variants[base.variant].blocks
    stages = trial.suggest_int("stages", 1, min(search.stages, blocks))
    kept = {
        trial.suggest_int(f"r{stage}", search.least, base.frames - 1, log=True)
        for stage in range(stages)
    }
    before = {
        trial.suggest_int(f"b{stage}", base.card.first, blocks - 1) for stage in range(stages)
    }
    schedule = tuple(zip(sorted(kept, reverse=True), sorted(before), strict=False))
    pruner = trial.suggest_categorical("pruner", search.pruners)
    recoverer = trial.suggest_categorical("recoverer", search.recoverers)
    return replace(base, pruner=Part(pruner), schedule=schedule, recoverer=Part(recoverer))


def answer(
    trials: optuna.Study, trial: optuna.Trial, found: dict[str, Row], objectives: list[str]
) -> None:
    """Tell Optuna the objectives, or that the trial failed."""
    rows = [found.get(metric) for metric in objectives]
    if all(row is not None and row.status == "ok" for row in rows):
        trials.tell(trial, [row.value for row in rows])  # type: ignore[misc, union-attr]
    else:
        trials.tell(trial, state=TrialState.FAIL)


def open_trials(bench: Bench) -> optuna.Study:
    """The Optuna study of these conditions; trials of a killed process are failed."""
    conditions = bench.study.model_dump(exclude={"title"}), bench.seed, bench.device
    digest = hashlib.sha256(json.dumps(conditions).encode()).hexdigest()[:8]
    backend = JournalFileBackend(str(bench.folder / f"{bench.study.name}.journal"))
    trials = optuna.create_study(
        storage=JournalStorage(backend),
        study_name=f"{bench.study.name}-{digest}",
        directions=[
            StudyDirection.MAXIMIZE if name in HIGHER_IS_BETTER else StudyDirection.MINIMIZE
            for name in bench.study.objectives
        ],
        load_if_exists=True,
    )
    # A sampler of its own for each start: the same seed would draw the first trials again.
    started = len(trials.get_trials(deepcopy=False))
    trials.sampler = optuna.samplers.TPESampler(seed=bench.seed + started)
    for trial in trials.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        trials.tell(trial.number, state=TrialState.FAIL)
    return trials

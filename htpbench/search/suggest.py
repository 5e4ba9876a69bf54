"""What Optuna draws for a search: samplers by name, combinations from trials, constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler

from htpbench.records.rows import Row
from htpbench.study import constraint, space
from htpbench.study.search import Search
from htpbench.systems.combination import Combination

GENERATIONS = 5  # of NSGA-II, at least, in a search of few trials
POPULATION = 4, 50  # the least that can cross over, and Optuna's default
Named = TypeVar("Named")


def sampler(search: Search | None, seed: int) -> BaseSampler:
    """The sampler that a search names; both know several objectives and constraints.

    Brute force needs none: its combinations are listed (space.listed).
    """
    if search is not None and search.sampler == "nsga2":
        least, most = POPULATION
        size = min(max((search.trials or 0) // GENERATIONS, least), most)
        return NSGAIISampler(population_size=size, seed=seed)
    return TPESampler(seed=seed)


def suggest(trial: optuna.Trial, search: Search) -> Combination:
    """A combination of the space; r are sorted falling and b rising, repeats dropped.

    So every draw is valid and the space keeps one shape; several draws may name one combination.
    Each of several backbones has stages, r and b of its own: what suits one says little of others.
    """
    base, own = search.bases[0], ""
    if len(search.bases) > 1:
        base = suggest_named(trial, "backbone", search.backbones, search.bases)
        own = f"{base} "
    places = space.places(search, base)
    stages = trial.suggest_int(f"{own}stages", 1, space.deepest(search, base))
    kept = {suggest_rank(trial, f"{own}r{stage}", search, base) for stage in range(stages)}
    before = {suggest_of(trial, f"{own}b{stage}", places) for stage in range(stages)}
    schedule = tuple(zip(sorted(kept, reverse=True), sorted(before), strict=False))
    pruner = suggest_named(trial, "pruner", search.pruners, search.choosing)
    recoverer = suggest_named(trial, "recoverer", search.recoverers, search.recovering)
    return replace(base, pruner=pruner, schedule=schedule, recoverer=recoverer)


def suggest_named(
    trial: optuna.Trial, kind: str, names: Sequence[str], parts: Sequence[Named]
) -> Named:
    """One of the parts, drawn by its name."""
    return dict(zip(names, parts, strict=True))[trial.suggest_categorical(kind, names)]


def suggest_rank(trial: optuna.Trial, name: str, search: Search, base: Combination) -> int:
    """An r: from the given ones, or any from the least up on a logarithmic scale."""
    known = space.ranks(search, base)
    return (
        suggest_of(trial, name, known)
        if search.r
        else trial.suggest_int(name, known[0], known[-1], log=True)
    )


def suggest_of(trial: optuna.Trial, name: str, known: Sequence[int]) -> int:
    """One of the rising numbers, drawn by its index: their order means something to a sampler."""
    return known[trial.suggest_int(f"{name}_index", 0, len(known) - 1)]


def excesses(search: Search | None, found: Mapping[str, Row]) -> dict[str, float]:
    """How far each constraint is passed, as far as its metric is known; 0 and less are kept."""
    asked = {text: constraint.parse(text) for text in search.constraints} if search else {}
    return {
        text: one.excess(row.value)  # type: ignore[arg-type]
        for text, one in asked.items()
        if (row := found.get(one.metric)) is not None and row.status == "ok"
    }

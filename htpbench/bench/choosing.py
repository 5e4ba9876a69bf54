"""All that there is to choose from, measured alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from htpbench.bench.candidates import Turn
from htpbench.bench.runner import Runner, run
from htpbench.errors import BenchError
from htpbench.outside.progress import Tick
from htpbench.records.choice import Candidate
from htpbench.study.study import Study
from htpbench.systems import catalogue


def comparable(metrics: Sequence[str]) -> None:
    """BenchError for what is told over another network: engines and backbones have their own."""
    for name in metrics:
        if catalogue.metric(name).to_reference:
            raise BenchError(
                f"{name} is over the reference that stands beside a network, and there are several;"
                " name what it costs or takes itself, as cost.flops or time.forward"
            )


def one_pass(study: Study) -> Study:
    """The study with errors of one pass, which is what is timed: no mirrored one beside it."""
    evaluation = study.evaluation.model_copy(update={"flip": False})
    return study.model_copy(update={"evaluation": evaluation})


def applicable(runner: Runner, turns: Sequence[Turn], metrics: Sequence[str]) -> None:
    """BenchError for a metric that none of it has, before anything is measured."""
    known = {
        metric
        for turn in turns
        for name in runner.meters()
        for metric in at(runner, turn).keys(turn.combinations[0], name)
    }
    for name in metrics:
        if name not in known:
            raise BenchError(f"{name} is not measured of any of these networks here")


def at(runner: Runner, turn: Turn) -> Runner:
    """The runner in a turn."""
    return runner.under(
        combinations=[*map(str, turn.combinations)],
        weights=turn.weights,
        engine=turn.engine,
        precision=turn.precision,
    )


def measured(runner: Runner, turns: Sequence[Turn], tick: Tick) -> Iterator[Candidate]:
    """Each candidate once its turn is through; the runner's study says how and with which meters.

    One that could not be measured lacks rows.
    """
    total, before = sum(len(each.combinations) for each in turns), 0
    for turn in turns:
        here = at(runner, turn)
        run(here, turn.combinations, partial(offset, tick, before, total, turn.engine))
        before += len(turn.combinations)
        for one in turn.combinations:
            rows = here.rows(one)
            card = {metric: row for metric, row in rows.items() if row.status == "ok"}
            lost = (f"{row.status}: {row.reason}" for row in rows.values() if row.status != "ok")
            why = next(lost, "")
            yield Candidate(str(one), turn.weights, turn.engine, turn.precision, card, why)


def offset(tick: Tick, before: int, total: int, engine: str, done: int, _: int, text: str) -> None:
    """Tell of one turn as part of all."""
    tick(before + done, total, f"{engine}: {text}")

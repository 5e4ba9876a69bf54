"""A choice in words, and the front that it was made from as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pandas

from htpbench.outside.printable import first_of
from htpbench.records.choice import Candidate, Choice, as_good, excess, metrics
from htpbench.records.intervals import FLOOR
from htpbench.records.judging import judge
from htpbench.records.pairing import paired
from htpbench.records.sessions import noise
from htpbench.report.tables import amount
from htpbench.report.text import MARK
from htpbench.study.constraint import Constraint
from htpbench.systems import catalogue


def front_table(choice: Choice, budget: Sequence[Constraint], best: str) -> pandas.DataFrame:
    """A line for each on the front: what it is, and its numbers as texts.

    What keeps most of the budget comes first.
    A star leads what is taken, a MARK a time that is not to be trusted.
    """
    names = metrics(budget, best)
    return pandas.DataFrame(
        {
            "": "*" if one is choice.taken else "",
            "combination": one.combination,
            "weights": one.weights,
            "engine": one.engine,
            "precision": one.precision,
            **{catalogue.metric(name).column: text(one, name) for name in names},
        }
        for one in sorted(choice.front, key=lambda one: excess(one, budget))
    )


def sentences(choice: Choice, budget: Sequence[Constraint], best: str) -> Iterator[str]:
    """What to take, and why not what is better and over the budget, nor the next that keeps it."""
    names, taken = metrics(budget, best), choice.taken
    if taken is None:
        yield f"nothing keeps {' and '.join(map(limit, budget))}"
    else:
        yield f"take {taken}: {numbers(taken, names)}"
    if choice.next is not None:
        yield f"not {choice.next}: {numbers(choice.next, names)}, which is over the budget"
    if taken is not None and choice.within:
        other = choice.within[0]
        yield f"not {other}: {numbers(other, names)}, which is {behind(other, taken, best)}"


def behind(other: Candidate, taken: Candidate, best: str) -> str:
    """Why another network that keeps the budget is not taken."""
    if as_good(other, taken, best):
        return f"as good within {100 * FLOOR:g} %, and takes no less"
    metric, apart = catalogue.metric(best), other.value(best) - taken.value(best)
    told = f"{amount(apart, metric, '+')} {metric.read or metric.unit}"
    if not paired(best, other.card, taken.card):
        return told
    verdict = judge(best, [(other.card, taken.card)])
    if verdict.why or verdict.low is None or verdict.high is None:
        return told
    low, high = (amount(end, metric, "+") for end in (verdict.low, verdict.high))
    return f"{told} [{low}, {high}]: {verdict.verdict}"


def failures(lost: Iterable[Candidate]) -> Iterator[str]:
    """What could not be measured, a line for each reason."""
    by_reason: dict[str, list[Candidate]] = {}
    for one in lost:
        by_reason.setdefault(one.why, []).append(one)
    for why, those in by_reason.items():
        yield f"not measured: {first_of(those)}: {why or 'what is asked does not apply'}"


def doubts(candidates: Sequence[Candidate], names: Sequence[str]) -> str:
    """Whose times are not to be trusted, why, and the cure; "" where all are."""
    said = [(one, noise(name, one.card)) for one in candidates for name in names]
    told = {str(one): why for one, why in said if why}
    if not told:
        return ""
    why = next(iter(told.values()))
    return (
        f"times are not to be trusted: {first_of([*told])}: {why}; close what runs, and add "
        "--retry or --wait-quiet MINUTES"
    )


def numbers(one: Candidate, names: Sequence[str]) -> str:
    """Its numbers with what they are and their units, what should be best first."""
    *rest, best = names
    told = []
    for name in dict.fromkeys([best, *rest]):
        metric = catalogue.metric(name)
        told.append(f"{metric.head} {text(one, name)} {metric.read or metric.unit}")
    return ", ".join(told)


def text(one: Candidate, name: str) -> str:
    """A number in the unit that people read."""
    return MARK * bool(noise(name, one.card)) + amount(one.value(name), catalogue.metric(name))


def limit(one: Constraint) -> str:
    """A constraint in the unit that people read."""
    metric = catalogue.metric(one.metric)
    return f"{one.metric} {one.sign} {one.limit / metric.scale:.6g} {metric.read or metric.unit}"

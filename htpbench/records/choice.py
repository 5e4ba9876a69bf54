"""Which of many measured networks to take for a budget, from their rows alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from htpbench.records.front import front, less_is_better
from htpbench.records.intervals import FLOOR
from htpbench.records.row import Row, number
from htpbench.study.constraint import Constraint


@dataclass(frozen=True)
class Candidate:
    """A network as an engine runs it, the ok rows of it, by metric, and why there are no others."""

    combination: str
    weights: str
    engine: str
    precision: str
    card: dict[str, Row] = field(repr=False, compare=False)
    why: str = ""

    def __str__(self) -> str:
        ran = self.engine if self.precision == "float32" else f"{self.engine} {self.precision}"
        return f"{self.combination} with {self.weights} on {ran}"

    def value(self, metric: str) -> float:
        """Its number."""
        return number(self.card[metric])


@dataclass(frozen=True)
class Choice:
    """What to take, and what stands beside it.

    front: what no other beats in the budget's metrics and in what should be best. within: the
    others that keep the budget, the best first. next: the better one that the smallest budget
    would allow; None where nothing is better.
    """

    front: list[Candidate]
    taken: Candidate | None
    within: list[Candidate]
    next: Candidate | None


def choose(known: Sequence[Candidate], budget: Sequence[Constraint], best: str) -> Choice:
    """Take the best of what keeps the budget; of those that are as good, what takes least of it.

    As good: no more than FLOOR apart. All must have rows of the budget's metrics and of `best`.
    """
    names = metrics(budget, best)
    on_front = front([{name: one.value(name) for name in names} for one in known], names)
    ranked = sorted(known, key=lambda one: worth(one, best))
    keep = [one for one in ranked if excess(one, budget) <= 0]
    beyond, taken = [one for one in ranked if excess(one, budget) > 0], None
    if keep:
        first = keep[0]
        alike = [one for one in keep if as_good(one, first, best)]
        taken = min(alike, key=lambda one: worth(one, budget[0].metric))
        better = [one for one in beyond if worth(one, best) < worth(first, best)]
        beyond = [one for one in better if not as_good(one, first, best)]
    return Choice(
        front=[one for one, is_best in zip(known, on_front, strict=True) if is_best],
        taken=taken,
        within=[one for one in keep if one is not taken],
        next=min(beyond, key=lambda one: excess(one, budget), default=None),
    )


def metrics(budget: Sequence[Constraint], best: str) -> list[str]:
    """What a choice looks at, each once."""
    return list(dict.fromkeys([*(one.metric for one in budget), best]))


def worth(candidate: Candidate, metric: str) -> float:
    """Its number; less is better."""
    return less_is_better(metric, candidate.value(metric))


def as_good(one: Candidate, other: Candidate, metric: str) -> bool:
    """Whether two are no more than FLOOR apart."""
    a, b = one.value(metric), other.value(metric)
    return abs(a - b) <= FLOOR * max(abs(a), abs(b))


def excess(candidate: Candidate, budget: Sequence[Constraint]) -> float:
    """How far it is over the budget, as a share of the limit; 0 or less where it keeps all of it.

    An interval must lie within the budget as a whole.
    """
    return max(
        one.excess(worst_end(candidate.card[one.metric], one)) / (abs(one.limit) or 1)
        for one in budget
    )


def worst_end(row: Row, limit: Constraint) -> float:
    """The end of a row's interval that may pass a limit; its number where it has none."""
    end = row.high if limit.sign == "<=" else row.low
    return number(row) if end is None else end

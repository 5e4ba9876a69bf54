"""What is measured to reproduce the published tables: a study for each table and kind of number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from htpbench.study.study import Study
from htpbench.systems.combination import Combination

KINDS: dict[str, tuple[str, ...]] = {  # what people ask for, cheapest first -> its meters
    "cost": ("cost",),
    "memory": ("training_memory",),
    "accuracy": ("accuracy", "selection"),
    "time": ("time", "sampling"),
    "training": ("training",),
}


@dataclass(frozen=True)
class Part:
    """What one kind of number of a table takes: a study that is measured as any other."""

    kind: str
    study: Study

    def __str__(self) -> str:
        rate = self.study.evaluation.downsample
        return f"{self.study.name}, {self.kind}" + (f", one frame of {rate}" if rate > 1 else "")


def parts(
    tables: Sequence[Study],
    printed: Mapping[str, Collection[str]],
    kinds: Collection[str],
    weights: Mapping[str, str],
    rates: Mapping[str, Sequence[int]],
) -> Iterator[Part]:
    """All that is to be measured of the tables' studies, cheapest first.

    printed: the meters of what each table prints, by its name. weights: those of combinations, by
    name; without any there is no accuracy. rates: of tables that compare frame rates.
    """
    for kind, meters in KINDS.items():
        for study in tables:
            asked = [name for name in meters if name in printed[study.name]]
            if kind not in kinds or not asked:
                continue
            if kind != "accuracy":
                yield Part(kind, study.model_copy(update={"meters": asked}))
                continue
            served = [str(one) for one in study.parsed() if str(one) in weights]
            for rate in rates.get(study.name, (1,)) if served else ():
                evaluation = study.evaluation.model_copy(update={"downsample": rate})
                changes = {
                    "meters": asked,
                    "combinations": served,
                    "weights": {one: weights[one] for one in served},
                    "evaluation": evaluation,
                }
                yield Part(kind, study.model_copy(update=changes))


def unserved(tables: Sequence[Study], weights: Mapping[str, str]) -> list[Combination]:
    """The combinations of the tables that no weights serve, each once."""
    every = dict.fromkeys(one for study in tables for one in study.parsed())
    return [one for one in every if str(one) not in weights]

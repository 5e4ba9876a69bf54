"""What is measured to reproduce the published tables: a study for each table and kind of number."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from htpbench.report.published import published, uses
from htpbench.report.quantities import KINDS, RATES, RATES_OF, meters_of
from htpbench.report.scaled import of_backbone
from htpbench.study.study import Study
from htpbench.systems.combination import Combination

ONCE = (1,)  # every frame
FEW = 2000  # windows


@dataclass(frozen=True)
class Part:
    """What one kind of number of a table takes: a study that is measured as any other."""

    kind: str
    study: Study

    def __str__(self) -> str:
        rate, pipeline = self.study.evaluation.downsample, self.study.pipeline
        told = [self.study.name, self.kind, pipeline, f"one frame of {rate}" if rate > 1 else ""]
        return ", ".join(filter(None, told))


def parts(
    tables: Sequence[Study], kinds: Collection[str], weights: Mapping[str, str]
) -> Iterator[Part]:
    """All that is to be measured of the tables' studies, cheapest first.

    weights: those of combinations, by name; without any there is no accuracy.
    """
    for kind, meters in KINDS.items():
        for study in tables if kind in kinds else ():
            assert study.table is not None
            cells = published(study.table)
            asked = [name for name in meters if name in meters_of(study.table, cells)]
            changed = study.model_copy(update={"meters": asked})
            if asked and kind == "accuracy":
                used = uses(cells.to_dict("records"))  # type: ignore[arg-type]
                yield from scored(changed, used, weights)
            elif "sampling" in asked:
                yield from (Part(kind, one) for one in by_backbone(changed))
            elif asked:
                yield Part(kind, changed)


def by_backbone(study: Study) -> Iterator[Study]:
    """A study for each backbone, which refers to its own unpruned network.

    A prediction of one may take forty times as long as of another, and the reference makes one in
    every round.
    """
    every = study.parsed()
    for backbone in dict.fromkeys(one.backbone for one in every):
        some = [one for one in every if one.backbone == backbone]
        own = {"combinations": [*map(str, some)], "reference": str(some[0].unpruned)}
        yield study.model_copy(update=own)


def scored(
    study: Study, used: Mapping[str, Sequence[str]], weights: Mapping[str, str]
) -> Iterator[Part]:
    """The errors of a table: in each use that it prints, at each frame rate that it compares."""
    for pipeline, names in used.items():
        served = {name: weights[name] for name in names if name in weights}
        for rate in RATES.values() if study.table == RATES_OF else ONCE:
            changes = {
                "combinations": [*served],
                "weights": served,
                "pipeline": pipeline or None,
                "evaluation": study.evaluation.model_copy(update={"downsample": rate}),
            }
            if served:
                yield Part("accuracy", study.model_copy(update=changes))


def scaled_parts(tables: Sequence[Study], network: Combination, weights: str) -> Iterator[Part]:
    """The errors of the tables' schedules, scaled to another network of the same backbone.

    Of seq2frame networks, which take a pass for each frame, FEW windows are scored.
    """
    for study in tables:
        assert study.table is not None
        every = of_backbone(study.table, network)
        used = uses(cell | {"combination": str(mine)} for cell, mine in every)
        whole = str(network)
        used = {use: [*dict.fromkeys((whole, *names))] for use, names in used.items()}
        changed = study.model_copy(update={"meters": ["accuracy"], "reference": whole})
        for part in scored(changed, used, dict.fromkeys(chain(*used.values()), weights)):
            pipeline, settings = part.study.pipeline, part.study.evaluation
            few = {"windows": FEW} if pipeline == "seq2frame" else {}
            changes = {"evaluation": settings.model_copy(update=few)}
            yield Part(part.kind, part.study.model_copy(update=changes))


def unserved(tables: Sequence[Study], weights: Mapping[str, str]) -> list[Combination]:
    """The combinations of the tables that no weights serve, each once."""
    every = dict.fromkeys(one for study in tables for one in study.parsed())
    return [one for one in every if str(one) not in weights]

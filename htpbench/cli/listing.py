"""What there is, and what a combination means: the tables of `ls` and `plan`."""

from __future__ import annotations

import inspect

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from htpbench.datasets import defaults
from htpbench.study import loading, study
from htpbench.systems import catalogue
from htpbench.systems.cards import BackboneCard
from htpbench.systems.combination import Combination
from htpbench.systems.registry import BACKBONES, DATASETS, ENGINES, METERS, PRUNERS, RECOVERERS
from htpbench.systems.shipped import data_folder


def listing() -> list[Table]:
    """One table a kind of thing."""
    tables = []
    for registry in (BACKBONES, PRUNERS, RECOVERERS):
        table = Table(f"{registry.kind}s", "", box=SIMPLE_HEAD)
        for name in registry.names():
            card = registry.card(name)
            variants = card.variants if isinstance(card, BackboneCard) else {}
            sizes = f"{name}.{{{','.join(variants)}}}" if len(variants) > 1 else name
            table.add_row(sizes, f"{card.title}: {card.summary}")
        tables.append(table)
    table = Table("meters", "", "metrics", box=SIMPLE_HEAD)
    for name in catalogue.meters():
        about = inspect.getdoc(METERS.load(name)) or ""
        metrics = (metric.name.partition(".")[2] for metric in METERS.load(name).declared())
        table.add_row(name, about.partition("\n")[0], ", ".join(metrics))
    tables.append(table)
    table = Table("engines", "", "precisions", box=SIMPLE_HEAD)
    for name in ENGINES.names():
        engine = ENGINES.load(name)
        about = inspect.getdoc(engine) or ""
        table.add_row(name, about.partition("\n")[0], ", ".join(engine.precisions))
    tables.append(table)
    table = Table("data", "", "options", box=SIMPLE_HEAD)
    for name in DATASETS.names():
        about = inspect.getdoc(DATASETS.load(name)) or ""
        spelt = name.replace("_", "-")
        scheme = spelt if name == "synthetic" else f"{spelt}:PATH"
        usual = defaults(DATASETS.load(name)).items()
        told = ", ".join(f"{option}={str(value).lower()}" for option, value in usual)
        table.add_row(scheme, about.partition("\n")[0], told)
    tables.append(table)
    table = Table("studies", "", box=SIMPLE_HEAD)
    for name in loading.names():
        table.add_row(name, loading.load(name).title)
    tables.append(table)
    table = Table("weights", box=SIMPLE_HEAD)
    for path in sorted((data_folder() / "baselines" / "weights").glob("*.safetensors")):
        table.add_row(path.stem)
    tables.append(table)
    return tables


def plan_table(combinations: list[Combination]) -> Table:
    """Pipeline, and frames that each block sees."""
    heads = ("pipeline", "frames in each block")
    table = Table(Column("combination", no_wrap=True), *heads, box=SIMPLE_HEAD)
    for combination in combinations:
        lengths = " ".join(str(length) for length in combination.lengths())
        table.add_row(str(combination), combination.pipeline(), lengths)
    return table


def rank_table(search: study.Search, count: int) -> Table:
    """The combinations of a space with the fewest operations."""
    from htpbench.measuring.additive import ranked
    from htpbench.study.space import enumerated

    table = Table("combination", Column("flops, M", justify="right"), box=SIMPLE_HEAD)
    for flops, combination in ranked(enumerated(search))[:count]:
        table.add_row(str(combination), f"{flops / 1e6:,.1f}")
    return table

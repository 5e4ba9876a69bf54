"""A study that trained its own networks: how far one training for all schedules can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

import pandas

from htpbench.combination import parse
from htpbench.report.tables import markdown, write_file
from htpbench.rows import Row, latest

ORDER = ["same", "any", "transferred"]
ERROR = "accuracy.mpjpe"


def scored(rows: Iterable[Row]) -> list[Row]:
    """The MPJPE of every network that the study trained."""
    return [
        row
        for row in latest(rows).values()
        if row.metric == ERROR
        and row.status == "ok"
        and "training_seed" in row.conditions
        and not row.combination.startswith("control")
    ]


def scores(rows: Iterable[Row]) -> pandas.DataFrame:
    """One line per combination, lineage and seed, with its MPJPE in mm."""
    lines = [
        {
            "combination": row.combination,
            "lineage": row.conditions["trained"],
            "seed": row.conditions["training_seed"],
            "mpjpe": row.value,
        }
        for row in scored(rows)
    ]
    return pandas.DataFrame(lines, columns=["combination", "lineage", "seed", "mpjpe"])


def lineage_table(found: pandas.DataFrame) -> pandas.DataFrame:
    """One line per combination, in order of appearance; "mean (seed, seed, ...)" per lineage."""
    cells = {}
    for key, each in found.sort_values("seed").groupby(["combination", "lineage"]):
        seeds = ", ".join(f"{value:.1f}" for value in each["mpjpe"])
        cells[key] = f"{each['mpjpe'].mean():.1f} ({seeds})"
    present = [lineage for lineage in ORDER if lineage in set(found["lineage"])]
    lines = [
        {
            "combination": name,
            **{f"{lineage} (mm)": cells.get((name, lineage), "") for lineage in present},
        }
        for name in dict.fromkeys(found["combination"])
    ]
    return pandas.DataFrame(lines)


def means(found: pandas.DataFrame) -> dict[str, float]:
    """Combination -> its mean MPJPE, mm."""
    groups = found.groupby("combination")["mpjpe"]
    return {str(name): errors.mean().item() for name, errors in groups}


def agreement(found: pandas.DataFrame) -> pandas.DataFrame:
    """How well other lineages and other seeds order the pruned schedules as `same` does.

    Columns of, with, schedules, rank correlation (Spearman) and mean difference in mm.
    """
    pruned = found.loc[[parse(name).pruner is not None for name in found["combination"]]]
    parts = {str(lineage): part for lineage, part in pruned.groupby("lineage")}
    same = parts.pop("same", pruned.iloc[:0])
    pairs = [(lineage, means(parts[lineage]), "same", means(same)) for lineage in sorted(parts)]
    seeds = {f"same, seed {seed}": means(part) for seed, part in same.groupby("seed")}
    pairs += [(b, seeds[b], a, seeds[a]) for a, b in combinations(seeds, 2)]
    lines = []
    for name, mine, other, base in pairs:
        both = pandas.DataFrame({"mine": mine, "base": base}).dropna()
        lines.append(
            {
                "of": name,
                "with": other,
                "schedules": len(both),
                "rank correlation": both.corr(method="spearman").loc["mine", "base"],
                "mean difference (mm)": (both["mine"] - both["base"]).mean(),
            }
        )
    return pandas.DataFrame(lines)


def write_lineages(found: pandas.DataFrame, folder: Path, name: str) -> list[Path]:
    """Write <name>.md, both tables, and <name>.csv, the scores."""
    text = "\n".join(markdown(part) for part in (lineage_table(found), agreement(found).round(2)))
    raw = found.to_csv(index=False, lineterminator="\n")
    return [
        write_file(folder / f"{name}.md", text.encode()),
        write_file(folder / f"{name}.csv", raw.encode()),
    ]

"""A study that trained its own networks: how far one training for all schedules can be trusted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import fmean

import pandas

from htpbench.combination import parse
from htpbench.compare import BY_CLIP, difference, labelled, paired
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


def differences(rows: Iterable[Row], reference: str) -> pandas.DataFrame:
    """MPJPE minus the reference's of the same lineage and seed, with its 95 % interval, in mm.

    Columns combination, lineage, seed, difference, low, high. The seed "all" pairs each clip's
    means over seeds: its interval knows of clips and not of seeds. What `transferred` refers to is
    the network that was trained unpruned.
    """
    networks: dict[tuple[str, str], dict[int, dict[str, Row]]] = {}
    for row in latest(rows).values():
        network = not row.combination.startswith("control") and "training_seed" in row.conditions
        if network and row.status == "ok":
            seeds = networks.setdefault((row.combination, row.conditions["trained"]), {})
            seeds.setdefault(row.conditions["training_seed"], {})[row.metric] = row
    lines = []
    for (name, lineage), mine in sorted(networks.items(), key=lambda one: ORDER.index(one[0][1])):
        base = networks.get((reference, lineage)) or networks.get((reference, "same"), {})
        seeds = [s for s in sorted(mine) if s in base and paired(ERROR, mine[s], base[s])]
        if name == reference or not seeds:
            continue
        pairs = {str(seed): (mine[seed], base[seed]) for seed in seeds}
        pairs["all"] = over_seeds(mine, seeds), over_seeds(base, seeds)
        for seed, pair in pairs.items():
            lines.append((name, lineage, seed, *difference(*pair)))
    columns = ["combination", "lineage", "seed", "difference", "low", "high"]
    return pandas.DataFrame(lines, columns=columns)


def difference_table(apart: pandas.DataFrame) -> pandas.DataFrame:
    """`differences` as texts: one line per combination and lineage, one column a seed."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for one in apart.to_dict("records"):
        name, lineage = one["combination"], one["lineage"]
        line = lines.setdefault((name, lineage), {"combination": name, "weights": lineage})
        head = "all seeds (mm)" if one["seed"] == "all" else f"seed {one['seed']} (mm)"
        line[head] = f"{one['difference']:+.2f} [{one['low']:+.2f}, {one['high']:+.2f}]"
    return pandas.DataFrame(lines.values()).fillna("")


def over_seeds(networks: dict[int, dict[str, Row]], seeds: list[int]) -> dict[str, Row]:
    """The rows that pair clips, each clip's MPJPE the mean over networks."""
    rows = networks[seeds[0]]
    by_clip = [labelled(networks[seed][BY_CLIP]) for seed in seeds]
    mean = [fmean(one[clip] for one in by_clip) for clip in by_clip[0]]
    return {**rows, BY_CLIP: replace(rows[BY_CLIP], axis=list(by_clip[0]), value=mean)}


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


def write_lineages(
    found: pandas.DataFrame, parts: Iterable[pandas.DataFrame], folder: Path, name: str
) -> list[Path]:
    """Write <name>.md, the tables, and <name>.csv, the scores."""
    text = "\n".join(markdown(part) for part in parts)
    raw = found.to_csv(index=False, lineterminator="\n")
    return [
        write_file(folder / f"{name}.md", text.encode()),
        write_file(folder / f"{name}.csv", raw.encode()),
    ]

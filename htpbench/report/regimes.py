"""A study that trained its own networks: how far one training for all schedules can be trusted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

import pandas

from htpbench.records.rows import Row, latest
from htpbench.report.tables import amount
from htpbench.systems.catalogue import metric as metric_of
from htpbench.systems.combination import parse

ORDER = ["same", "any", "transferred"]
ERROR = "accuracy.mpjpe"
COSTS = ("cost.flops_published", "cost.flops")
Network = tuple[str, str, int]  # combination, regime, seed


def networks(rows: Iterable[Row]) -> dict[Network, dict[str, Row]]:
    """The ok rows of accuracy of every network that the study trained, by metric.

    Of a network that was trained anew the newest holds.
    """
    trained = [
        row
        for row in latest(rows).values()
        if row.status == "ok"
        and row.metric.startswith("accuracy.")
        and row.conditions.get("trained") in ORDER
        and "training_seed" in row.conditions
        and not row.combination.startswith("control")
    ]
    found: dict[Network, dict[str, Row]] = {network(row): {} for row in trained}
    for row in sorted(trained, key=lambda row: row.at):
        mine = found[network(row)]
        if any(digest(other) != digest(row) for other in mine.values()):
            mine.clear()
        mine[row.metric] = row
    return found


def network(row: Row) -> Network:
    """What was trained, and how often."""
    return row.combination, row.conditions["trained"], row.conditions["training_seed"]


def digest(row: Row) -> str | None:
    """Which weights a row was measured with."""
    return row.conditions.get("weights_sha256")


def scored(rows: Iterable[Row]) -> list[Row]:
    """The MPJPE of every network that the study trained."""
    return [mine[ERROR] for mine in networks(rows).values() if ERROR in mine]


def scores(rows: Iterable[Row]) -> pandas.DataFrame:
    """One line per combination, regime and seed, with its MPJPE in mm."""
    lines = [(*network(row), row.value) for row in scored(rows)]
    return pandas.DataFrame(lines, columns=["combination", "lineage", "seed", "mpjpe"])


def regime_table(found: pandas.DataFrame, rows: Iterable[Row] = ()) -> pandas.DataFrame:
    """One line per combination, in order of appearance; "mean (seed, seed, ...)" per regime.

    The costs of `rows` come first.
    """
    cells = {}
    for key, each in found.sort_values("seed").groupby(["combination", "lineage"]):
        seeds = ", ".join(f"{value:.1f}" for value in each["mpjpe"])
        cells[key] = f"{each['mpjpe'].mean():.1f} ({seeds})"
    costs = {
        (row.combination, row.metric): amount(float(row.value), metric_of(row.metric))  # type: ignore
        for row in latest(rows).values()
        if row.metric in COSTS and row.status == "ok"
    }
    counted = [metric for metric in COSTS if any(metric == key[1] for key in costs)]
    present = [regime for regime in ORDER if regime in set(found["lineage"])]
    lines = [
        {
            "combination": name,
            **{metric_of(metric).column: costs.get((name, metric), "") for metric in counted},
            **{f"{regime} (mm)": cells.get((name, regime), "") for regime in present},
        }
        for name in dict.fromkeys(found["combination"])
    ]
    return pandas.DataFrame(lines)


def means(found: pandas.DataFrame) -> dict[str, float]:
    """Combination -> its mean MPJPE, mm."""
    groups = found.groupby("combination")["mpjpe"]
    return {str(name): errors.mean().item() for name, errors in groups}


def agreement(found: pandas.DataFrame) -> pandas.DataFrame:
    """How well other regimes and other seeds order the pruned schedules as `same` does.

    Columns of, with, schedules, rank correlation (Spearman, of two schedules or more) and mean
    difference in mm. Without `same`, or without a schedule in common, there is nothing to compare.
    """
    pruned = found.loc[[parse(name).pruner is not None for name in found["combination"]]]
    parts = {str(regime): part for regime, part in pruned.groupby("lineage")}
    same = parts.pop("same", pruned.iloc[:0])
    pairs = [(regime, means(parts[regime]), "same", means(same)) for regime in sorted(parts)]
    seeds = {f"same, seed {seed}": means(part) for seed, part in same.groupby("seed")}
    pairs += [(b, seeds[b], a, seeds[a]) for a, b in combinations(seeds, 2)]
    lines = []
    for name, mine, other, base in pairs:
        both = pandas.DataFrame({"mine": mine, "base": base}).dropna()
        if both.empty:
            continue
        ranked = both.corr(method="spearman").loc["mine", "base"] if len(both) > 1 else float("nan")
        lines.append(
            {
                "of": name,
                "with": other,
                "schedules": len(both),
                "rank correlation": ranked,
                "mean difference (mm)": (both["mine"] - both["base"]).mean(),
            }
        )
    return pandas.DataFrame(lines)


def agreement_table(found: pandas.DataFrame) -> pandas.DataFrame:
    """`agreement` as texts; "" where schedules cannot be ranked."""
    return agreement(found).round(2).astype(str).replace("nan", "")


def regime_finding(
    words: Iterable[str], reference: str, found: pandas.DataFrame, judged: str = "MPJPE"
) -> str:
    """In one sentence: what verdicts say of the schedules, or how far regimes lie apart.

    words: the verdict on each schedule in the metric `judged`, where there are any.
    """
    counted = Counter(words)
    if counted.keys() - {"unsure"}:
        told = ", ".join(f"{count} {word}" for word, count in counted.items())
        return f"of {counted.total()} beside {reference} in {judged}: {told}"
    lines = agreement(found).to_dict("records")
    regimes = [line for line in lines if line["of"] in ORDER]
    told = "; ".join(
        f"{line['of']} lies {line['mean difference (mm)']:+.1f} mm from {line['with']} over "
        f"{line['schedules']} schedules"
        for line in regimes
    )
    return told


def failure_table(rows: Iterable[Row]) -> pandas.DataFrame:
    """Why networks have no number: one line per combination and reason."""
    failed: dict[tuple[str, str], list[str]] = {}
    for row in latest(rows).values():
        if row.status != "ok":
            trained = row.conditions.get("trained"), row.conditions.get("training_seed")
            of = failed.setdefault((row.combination, f"{row.status}: {row.reason}"), [])
            of += [row.metric if None in trained else "{}, seed {}".format(*trained)]
    lines = [(name, ", ".join(dict.fromkeys(of)), why) for (name, why), of in failed.items()]
    return pandas.DataFrame(lines, columns=["combination", "of", "why"])

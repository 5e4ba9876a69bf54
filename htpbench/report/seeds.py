"""Networks trained several times: how far each lies from the reference of the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas

from htpbench.records.pairing import BY_CLIP, apart, difference, paired
from htpbench.records.rows import Row
from htpbench.report.regimes import ERROR, ORDER, digest, networks

MEAN = "mean"  # stands in the column of seeds


def differences(rows: Iterable[Row], reference: str) -> pandas.DataFrame:
    """MPJPE minus the reference's of the same seed, with its 95 % interval, paired clip by clip.

    Columns combination, regime, seed, difference, low, high; mm. The interval of one seed is over
    subjects, that of the seed "mean" over subjects and seeds.
    """
    lines: list[tuple] = []
    for (name, regime), pairs in by_seed(rows, reference).items():
        named = [(str(seed), [pair]) for seed, pair in pairs.items()]
        for seed, some in [*named, *([(MEAN, [*pairs.values()])] if len(pairs) > 1 else [])]:
            found = difference(some)
            lines.append((name, regime, seed, found.value, *found.interval()))
    columns = ["combination", "lineage", "seed", "difference", "low", "high"]
    table = pandas.DataFrame(lines, columns=columns)
    return table.astype(dict.fromkeys(columns[3:], float))


def by_seed(
    rows: Iterable[Row], reference: str
) -> dict[tuple[str, str], dict[int, tuple[dict[str, Row], dict[str, Row]]]]:
    """(combination, regime) -> seed -> its rows and the reference's; those measured alike alone."""
    found = networks(rows)
    kinds = dict.fromkeys(key[:2] for key in found)
    pairs: dict[tuple[str, str], dict] = {}
    for name, regime in sorted(kinds, key=lambda one: ORDER.index(one[1])):
        for seed in sorted(seed for *other, seed in found if other == [name, regime]):
            if base := base_of(found, name, regime, seed, reference):
                pairs.setdefault((name, regime), {})[seed] = found[name, regime, seed], base
    return pairs


def base_of(
    found: Mapping[tuple, dict[str, Row]], name: str, regime: str, seed: int, reference: str
) -> dict[str, Row]:
    """The rows of the reference that a network is set beside; {} where none can be.

    Where one network serves all schedules the reference is served by that very network: it is the
    one that was trained unpruned for `transferred`.
    """
    mine = found[name, regime, seed]
    base = found.get((reference, regime, seed), {})
    if regime == "transferred":
        base = base or found.get((reference, "same", seed), {})
    if name == reference or not paired(ERROR, mine, base) or apart(mine, base):
        return {}
    other = regime != "same" and digest(mine[BY_CLIP]) != digest(base[BY_CLIP])
    return {} if other else base


def difference_table(table: pandas.DataFrame) -> pandas.DataFrame:
    """`differences` as texts: one line per combination and regime, one column a seed."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for one in table.to_dict("records"):
        name, regime, seed = one["combination"], one["lineage"], one["seed"]
        line = lines.setdefault((name, regime), {"combination": name, "weights": regime})
        if seed != MEAN:
            bounds = f" [{one['low']:+.2f}, {one['high']:+.2f}]" if pandas.notna(one["low"]) else ""
            line[f"seed {seed} (mm)"] = f"{one['difference']:+.2f}{bounds}"
    texts = pandas.DataFrame(lines.values()).fillna("")
    return texts.reindex(columns=sorted(texts.columns, key=heading))


def heading(column: str) -> tuple[int, str]:
    """Names first, then seeds by their numbers."""
    places = {"combination": 0, "weights": 1}
    return places.get(column, 2), column.zfill(40)

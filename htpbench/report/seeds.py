"""Networks trained several times: how far each lies from the reference of the same seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from statistics import fmean

import pandas

from htpbench.records.pairing import BY_CLIP, apart, difference, labelled, paired
from htpbench.records.rows import Row
from htpbench.report.regimes import ERROR, ORDER, digest, networks

MEAN = "mean"  # stands in the column of seeds


def differences(rows: Iterable[Row], reference: str) -> pandas.DataFrame:
    """MPJPE minus the reference's of the same seed, with its 95 % interval, paired clip by clip.

    Columns combination, regime, seed, difference, low, high; mm. The seed "mean" pairs each clip's
    means over seeds, of which there must be two: its interval is of clips, and knows nothing of
    further seeds. Pairs that were not measured alike are left out.
    """
    found = networks(rows)
    lines: list[tuple] = []
    for name, regime in sorted(
        dict.fromkeys(key[:2] for key in found), key=lambda one: ORDER.index(one[1])
    ):
        seeds = sorted(seed for *other, seed in found if other == [name, regime])
        pairs = {
            seed: (found[name, regime, seed], base)
            for seed in seeds
            if (base := base_of(found, name, regime, seed, reference))
        }
        lines += [(name, regime, str(seed), *difference(*pair)) for seed, pair in pairs.items()]
        if len(pairs) > 1:
            mine, bases = zip(*pairs.values(), strict=True)
            whole = difference(over_seeds(mine), over_seeds(bases))
            lines.append((name, regime, MEAN, *whole))
    columns = ["combination", "lineage", "seed", "difference", "low", "high"]
    return pandas.DataFrame(lines, columns=columns)


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


def over_seeds(networks: Iterable[dict[str, Row]]) -> dict[str, Row]:
    """The rows that pair clips, each clip's MPJPE the mean over networks."""
    rows, *others = networks
    by_clip = [labelled(one[BY_CLIP]) for one in (rows, *others)]
    mean = [fmean(one[clip] for one in by_clip) for clip in by_clip[0]]
    return {**rows, BY_CLIP: replace(rows[BY_CLIP], axis=list(by_clip[0]), value=mean)}


def difference_table(table: pandas.DataFrame) -> pandas.DataFrame:
    """`differences` as texts: one line per combination and regime, one column a seed."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for one in table.to_dict("records"):
        name, regime, seed = one["combination"], one["lineage"], one["seed"]
        line = lines.setdefault((name, regime), {"combination": name, "weights": regime})
        cell = f"{one['difference']:+.2f} [{one['low']:+.2f}, {one['high']:+.2f}]"
        line["mean, interval of clips (mm)" if seed == MEAN else f"seed {seed} (mm)"] = cell
    texts = pandas.DataFrame(lines.values()).fillna("")
    return texts.reindex(columns=sorted(texts.columns, key=heading))


def heading(column: str) -> tuple[int, str]:
    """Names first, then seeds by their numbers, then their mean."""
    places = {"combination": 0, "weights": 1}
    return places.get(column, 2 + column.startswith(MEAN)), column.zfill(40)

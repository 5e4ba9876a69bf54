"""What a paper states in words, as changes in percent, beside what we measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas

from htpbench.outside import files
from htpbench.systems.catalogue import metric as metric_of
from htpbench.systems.shipped import data_folder


def claims(name: str) -> list[dict[str, Any]]:
    """The claims of baselines/published/<name>-claims.toml: what, stated (%), metrics."""
    path = data_folder() / "baselines" / "published" / f"{name}-claims.toml"
    return files.load_toml(path)["claim"]


def claims_table(name: str, table: pandas.DataFrame, reference: str) -> pandas.DataFrame:
    """Each claim beside each pruned combination of a `sweep_table` whose numbers are there.

    Columns combination, claim, measured as, stated (%), ours (%); all are texts.
    """
    lines = {line["combination"]: line for line in table.to_dict("records")}
    base = lines.pop(reference, {})
    found = [
        (combination, claim["what"], metric_of(metric).column, f"{claim['stated']:+.1f}", ours)
        for combination, line in lines.items()
        for claim in claims(name)
        for metric in claim["metrics"]
        if (ours := change(metric, line, base))
    ]
    columns = ["combination", "claim", "measured as", "stated (%)", "ours (%)"]
    return pandas.DataFrame(found, columns=columns)


def change(metric: str, line: Mapping[str, Any], base: Mapping[str, Any]) -> str:
    """By how many percent a metric differs from the reference's, with its interval if it has one.

    A speed-up is a ratio already. "" where a number is missing.
    """
    whole = base.get(metric, math.nan)
    if math.isnan(line[metric]) or math.isnan(whole) or not whole:
        return ""
    if not metric_of(metric).to_reference:
        return f"{100 * (line[metric] / whole - 1):+.1f}"
    low, value, high = (100 * (line[f"{metric}{end}"] - 1) for end in (".low", "", ".high"))
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"

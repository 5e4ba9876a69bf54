"""What a paper states in words, as changes in percent, beside what we measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas

from htpbench.outside import files
from htpbench.report.relative import WORDS, Ratio, verdict
from htpbench.systems.catalogue import metric as metric_of
from htpbench.systems.shipped import data_folder


def claims(name: str) -> list[dict[str, Any]]:
    """The claims of baselines/published/<name>-claims.toml: what, stated (%), metrics."""
    path = data_folder() / "baselines" / "published" / f"{name}-claims.toml"
    return files.load_toml(path)["claim"]


def claims_table(stated: str, table: pandas.DataFrame, reference: str) -> pandas.DataFrame:
    """Each claim beside each pruned combination of a `sweep_table` whose numbers are there.

    Columns combination, claim, measured as, stated (%), ours (%) with its interval, and verdict (of
    what remains of the reference's: `htpbench.report.relative.verdict`); all are texts.
    """
    lines = {line["combination"]: line for line in table.to_dict("records")}
    base = lines.pop(reference, {})
    doubted, found = table.attrs.get("doubtful", {}), []
    for name, line in lines.items():
        for claim in claims(stated):
            for metric in claim["metrics"]:
                if ours := ratio(metric, line, base):
                    said = told(claim["stated"], ours, metric in doubted.get(name, {}))
                    found.append((name, claim["what"], metric_of(metric).column, *said))
    columns = ["combination", "claim", "measured as", "stated (%)", "ours (%)", "verdict"]
    return pandas.DataFrame(found, columns=columns)


def judged(table: pandas.DataFrame) -> str:
    """How many claims of a `claims_table` go with ours, in a sentence; "" where none is told."""
    count = table["verdict"].value_counts()
    said = ", ".join(f"{word} {count[word]}" for word in WORDS if word in count)
    return f"of {len(table)} stated numbers beside ours: {said}" if said else ""


def ratio(metric: str, line: Mapping[str, Any], base: Mapping[str, Any]) -> Ratio | None:
    """A metric over the reference's; a speed-up is a ratio already. None: a number is missing."""
    whole = base.get(metric, math.nan)
    if math.isnan(line[metric]) or math.isnan(whole) or not whole:
        return None
    if not metric_of(metric).to_reference:
        return Ratio(*(line[metric] / whole,) * 3)
    return Ratio(*(line[f"{metric}{end}"] for end in ("", ".low", ".high")))


def told(stated: float, ours: Ratio, doubtful: bool) -> tuple[str, str, str]:
    """What is stated (%), what ours is (%) with its interval if it has one, and how they go.

    doubtful: ours is a time that is not to be trusted.
    """
    value, low, high = (f"{100 * (end - 1):+.1f}" for end in ours)
    if math.isnan(ours.low) or math.isnan(ours.high):
        return f"{stated:+.1f}", value, "cannot tell"
    interval = f" [{low}, {high}]" if low != high else ""
    word = "cannot tell" if doubtful else verdict(1 + stated / 100, ours)
    return f"{stated:+.1f}", value + interval, word

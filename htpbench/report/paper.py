"""Ours beside the numbers that a paper prints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pandas

from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.report.published import (
    as_printed,
    explained,
    published,
    same_digit,
    saving,
    scale_of,
)
from htpbench.report.text import markdown
from htpbench.systems.catalogue import metric as metric_of

COUNTED = {"params": "cost.params", "flops": "cost.flops_published"}  # published name -> ours
ON_THEIR_GPU = {  # published metrics that belong to the paper's machine
    "fps": "time",
    "fps_per_frame": "time",
    "ratio": "time",
    "gpu_memory": "memory",
    "training_time": "training time",
}


def published_table(table: int, rows: Iterable[Row]) -> pandas.DataFrame:
    """One line per printed number of the paper's table, with ours, both in `unit`.

    Columns row, method, combination, pipeline, metric, unit, printed (text), ours (NaN if none),
    equal ("yes" or "no" at the printed digit, "" if none) and why (there is none, or it is not
    equal, where that is known).
    """
    measured, known = Results.of(rows).cells, explained(table)
    lines = []
    for cell in published(table).to_dict("records"):
        found = measured.get((cell["combination"], COUNTED.get(cell["metric"], "")), [])
        row = closest(found, cell["pipeline"])
        if row is None or row.status != "ok":
            lines.append({**cell, "equal": "", "why": _why(table, cell, row)})
            continue
        value = float(row.value)  # type: ignore[arg-type]  # ok rows of cells hold one number
        equal = "yes" if same_digit(value, cell["printed"], cell["unit"]) else "no"
        why = known.get((cell["row"], cell["metric"]), "") if equal == "no" else ""
        ours = value / scale_of(cell["unit"])
        lines.append({**cell, "ours": ours, "equal": equal, "why": why})
    texts = ["method", "combination", "pipeline", "metric", "unit", "printed"]
    comparison = pandas.DataFrame(lines, columns=["row", *texts, "ours", "equal", "why"])
    return comparison.astype({"ours": float})


def side_by_side(comparison: pandas.DataFrame) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """A `published_table` for people: one line per method, and the reasons of the empty cells.

    A metric that we have for no method shows its printed column alone. What pruning saves is
    computed from our numbers.
    """
    lines: dict[int, dict[str, object]] = {}
    compared = set(comparison.loc[comparison["equal"] != "", "metric"])
    for cell in comparison.to_dict("records"):
        fixed = {name: cell[name] for name in ("row", "method", "combination", "pipeline")}
        line = lines.setdefault(cell["row"], fixed)
        metric, unit = cell["metric"], cell["unit"]
        head = metric_of(COUNTED[metric]).head if metric in COUNTED else metric
        line[f"{head} ({unit}) printed"] = cell["printed"]
        if metric in compared:
            known = cell["equal"] != ""
            ours = as_printed(cell["ours"], cell["printed"], "") if known else ""
            line |= {f"{head} ({unit}) ours": ours, f"{head} =": cell["equal"]}
    for row, saved in saving(comparison).items():
        lines[row]["FLOPs saved (%) ours"] = f"{saved:.1f}"
    reasons: dict[tuple[str, str], list[str]] = defaultdict(list)
    for cell in comparison.to_dict("records"):
        if not cell["equal"]:
            reasons[cell["metric"], cell["why"]].append(str(cell["row"]))
    printed = comparison["metric"].value_counts()
    why = [
        {
            "metric": metric,
            "why empty": why,
            "rows": "all" if len(rows) == printed[metric] else ", ".join(rows),
        }
        for (metric, why), rows in reasons.items()
    ]
    return pandas.DataFrame(lines.values()).fillna(""), pandas.DataFrame(why)


def published_text(comparison: pandas.DataFrame, *further: pandas.DataFrame) -> str:
    """Markdown of a `published_table`: both parts of `side_by_side`, and what goes below."""
    parts = [*side_by_side(comparison), *further]
    return "\n".join(markdown(part) for part in parts if not part.empty)


def closest(found: list[Row], pipeline: str) -> Row | None:
    """An ok row of this pipeline, else of any: the cost is the network's, whatever its use."""
    return max(
        found,
        key=lambda row: (row.status == "ok", row.conditions.get("pipeline") == pipeline, row.at),
        default=None,
    )


def _why(table: int, cell: dict, row: Row | None) -> str:
    if cell["metric"] in ON_THEIR_GPU:
        return f"{ON_THEIR_GPU[cell['metric']]} on the paper's RTX 3090; needs that GPU"
    if cell["metric"] not in COUNTED:
        dataset = "MPI-INF-3DHP" if table == 10 else "Human3.6M with the paper's 2D detections"
        return f"needs {dataset} and weights trained on it"
    if row is not None:
        return f"{row.status}: {row.reason}"
    return f"not measured: run `htpbench cost --study table{table}`"

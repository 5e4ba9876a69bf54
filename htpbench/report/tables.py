"""Rows as tables: a sweep, and ours beside the published numbers; as Markdown and CSV."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas

from htpbench.outside.drafts import write_file
from htpbench.outside.printable import as_code, in_markdown, shown
from htpbench.records.rows import Row, latest
from htpbench.report.published import (
    as_printed,
    explained,
    published,
    same_digit,
    saving,
    scale_of,
)


@dataclass(frozen=True)
class Column:
    """A metric's head; its unit in CSV (`base`) and in Markdown (`unit` = `scale` base units)."""

    head: str
    base: str
    unit: str
    scale: float = 1
    decimals: int = 1


COLUMNS = {
    "cost.params": Column("parameters", "1", "M", 1e6, 2),
    "cost.flops_published": Column("FLOPs, papers' convention", "1", "G", 1e9, 2),
    "cost.flops": Column("FLOPs, all counted", "1", "G", 1e9, 2),
    "cost.macs_fvcore": Column("multiply-adds, fvcore", "1", "G", 1e9, 2),
    "cost.macs_ptflops": Column("multiply-adds, ptflops", "1", "G", 1e9, 2),
    "time.forward": Column("forward time", "s", "ms", 1e-3, 2),
    "time.clips_per_second": Column("clips per second", "1/s", "1/s"),
    "time.frames_per_second": Column("frames per second", "1/s", "1/s", decimals=0),
    "time.speedup": Column("speed-up", "1", "x", decimals=2),
    "time.prune_share": Column("share of pruning and recovering", "1", "%", 1e-2),
    "sampling.calls": Column("denoiser calls", "1", "1", decimals=0),
    "sampling.flops_published": Column("FLOPs of all calls, papers' convention", "1", "G", 1e9, 2),
    "sampling.flops": Column("FLOPs of all calls, all counted", "1", "G", 1e9, 2),
    "sampling.training_flops": Column("FLOPs of a training step", "1", "G", 1e9, 2),
    "sampling.forward": Column("time of a whole prediction", "s", "ms", 1e-3, 1),
    "sampling.clips_per_second": Column("whole predictions per second", "1/s", "1/s", decimals=2),
    "sampling.frames_per_second": Column("frames per second, all calls", "1/s", "1/s", decimals=0),
    "sampling.speedup": Column("speed-up of a whole prediction", "1", "x", decimals=2),
    "sampling.prune_share": Column("share of pruning, all calls", "1", "%", 1e-2),
    "accuracy.mpjpe": Column("MPJPE", "mm", "mm"),
    "accuracy.delta": Column("MPJPE minus the reference's", "mm", "mm", decimals=2),
    "accuracy.mpjpe_action_mean": Column("MPJPE, mean of actions", "mm", "mm"),
    "accuracy.mpjpe_p_agg": Column("MPJPE, P-Agg", "mm", "mm"),
    "accuracy.mpjpe_j_agg": Column("MPJPE, J-Agg", "mm", "mm"),
    "accuracy.mpjpe_p_best": Column("MPJPE, P-Best (uses the ground truth)", "mm", "mm"),
    "accuracy.mpjpe_j_best": Column("MPJPE, J-Best (uses the ground truth)", "mm", "mm"),
    "accuracy.p_mpjpe": Column("P-MPJPE", "mm", "mm"),
    "accuracy.n_mpjpe": Column("N-MPJPE", "mm", "mm"),
    "accuracy.pck": Column("PCK at 150 mm", "%", "%"),
    "accuracy.auc": Column("AUC to 150 mm", "%", "%"),
    "accuracy.mpjve": Column("MPJVE", "mm/frame", "mm/frame", decimals=2),
    "accuracy.acceleration_error": Column("acceleration error", "mm/s^2", "m/s^2", 1e3, 2),
    "selection.frame_noise": Column("frame noise", "px", "px", decimals=2),
}
# Shown with the interval from low to high.
BOUNDED = (
    "time.forward",
    "time.speedup",
    "sampling.speedup",
    "accuracy.mpjpe",
    "accuracy.delta",
)

COMPARED = {  # what stands in the first table for people; the rest has one of its own
    "cost.params",
    "cost.flops_published",
    "cost.flops",
    "time.prune_share",
    "sampling.flops",
    "sampling.training_flops",
    *BOUNDED,
}
NUMBER = re.compile(r"([-+]?[\d.]+(?:e[-+]?\d+)?)(?: ([\[(].*[\])]))?")  # and what it is between

# The operations and the speed-up of one pass, or of all calls where poses are sampled.
ONE_PASS, ALL_CALLS = ("cost.flops", "time.speedup"), ("sampling.flops", "sampling.speedup")

COUNTED = {"params": "cost.params", "flops": "cost.flops_published"}  # published name -> ours
ON_THEIR_GPU = {  # published metrics that belong to the paper's machine
    "fps": "time",
    "fps_per_frame": "time",
    "ratio": "time",
    "gpu_memory": "memory",
    "training_time": "training time",
}


def sweep_table(rows: Iterable[Row]) -> pandas.DataFrame:
    """One line per combination, in order of first appearance, in base units.

    Columns combination, the metrics of COLUMNS (with `.low` and `.high` for those of BOUNDED; NaN
    without an ok row), and note: the reasons of rows that are not ok, and which metrics were
    measured under several conditions, of which the newest is shown.
    """
    measured = by_cell(rows)
    lines: dict[str, dict[str, object]] = {}
    notes: dict[str, dict[str, list[str]]] = {}  # combination -> what is said -> of which metrics
    for (combination, metric), found in measured.items():
        line = lines.setdefault(combination, {"combination": combination})
        told = [f"{row.status}: {row.reason}" for row in found if row.status != "ok"]
        ok = in_time(found)
        for row in ok[-1:]:
            line |= {metric: row.value, f"{metric}.low": row.low, f"{metric}.high": row.high}
        if len(ok) > 1:
            told.append(f"the newest of several ({', '.join(_unlike(ok))})")
        for text in told:
            notes.setdefault(combination, {}).setdefault(text, []).append(metric)
    numbers = [name for metric in COLUMNS for name in (metric, *_bounds(metric))]
    table = pandas.DataFrame(lines.values(), columns=["combination", *numbers])
    table = table.astype({"combination": str, **dict.fromkeys(numbers, float)})
    return table.assign(note=[_note(notes.get(name, {})) for name in lines])


def by_cell(rows: Iterable[Row]) -> dict[tuple[str, str], list[Row]]:
    """(combination, metric) -> the rows that hold, one per key; those that hold lists left out."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in latest(rows).values():
        if not isinstance(row.value, list):
            found[row.combination, row.metric].append(row)
    return found


def newest(rows: Iterable[Row]) -> dict[str, dict[str, float]]:
    """Combination -> metric -> its number in the newest ok row; {} for one without any."""
    found: dict[str, dict[str, float]] = {}
    for (combination, metric), rivals in by_cell(rows).items():
        line = found.setdefault(combination, {})
        for row in in_time(rivals)[-1:]:
            line[metric] = row.value  # type: ignore[assignment]
    return found


def in_time(rows: Iterable[Row]) -> list[Row]:
    """The ok rows, the newest last."""
    return sorted((row for row in rows if row.status == "ok"), key=lambda row: row.at)


def axes_of(table: pandas.DataFrame) -> tuple[str, str]:
    """The operations and the speed-up that a `sweep_table` is about."""
    return ONE_PASS if table[ALL_CALLS[1]].dropna().empty else ALL_CALLS


def published_table(
    table: int, rows: Iterable[Row], built: Callable[[str], bool] = lambda combination: True
) -> pandas.DataFrame:
    """One line per printed number of the paper's table, with ours, both in `unit`.

    Columns row, method, combination, pipeline, metric, unit, printed (text), ours (NaN if none),
    equal ("yes" or "no" at the printed digit, "" if none) and why (there is none, or it is not
    equal, where that is known). `built` says of a combination whether its system can be run.
    """
    measured, known = by_cell(rows), explained(table)
    lines = []
    for cell in published(table).to_dict("records"):
        found = measured.get((cell["combination"], COUNTED.get(cell["metric"], "")), [])
        row = closest(found, cell["pipeline"])
        if row is None or row.status != "ok":
            lines.append({**cell, "equal": "", "why": _why(table, cell, row, built)})
            continue
        value = float(row.value)  # type: ignore[arg-type]  # ok rows of by_cell hold one number
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
        head = COLUMNS[COUNTED[metric]].head if metric in COUNTED else metric
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


def sweep_parts(table: pandas.DataFrame) -> list[pandas.DataFrame]:
    """A `sweep_table` as texts in the units people use: what is compared, then the rest."""
    parts: list[dict[str, list[str]]] = [{}, {}]
    for name, column in COLUMNS.items():
        cells = numbers(table, name, column)
        if any(cells):
            parts[name not in COMPARED][head(name)] = cells
    if any(table["note"]):
        parts[0]["note"] = list(table["note"])
    shown = [pandas.DataFrame({"combination": table["combination"], **part}) for part in parts]
    return [table for table, part in zip(shown, parts, strict=True) if part] or shown[:1]


def numeric(column: pandas.Series) -> bool:
    """Whether a column of texts holds numbers alone, with or without their intervals."""
    return all(NUMBER.fullmatch(text) for text in column if text)


def head(metric: str) -> str:
    """What stands above a metric's column for people."""
    return f"{COLUMNS[metric].head} ({COLUMNS[metric].unit})"


def sweep_text(table: pandas.DataFrame) -> str:
    """Markdown of a `sweep_table`."""
    if table.empty:
        return "Nothing measured.\n"
    return "\n".join(markdown(part) for part in sweep_parts(table))


def published_text(comparison: pandas.DataFrame, *further: pandas.DataFrame) -> str:
    """Markdown of a `published_table`: both parts of `side_by_side`, and what goes below."""
    parts = [*side_by_side(comparison), *further]
    return "\n".join(markdown(part) for part in parts if not part.empty)


def write(
    table: pandas.DataFrame,
    folder: Path,
    name: str,
    text: Callable[[pandas.DataFrame], str] = sweep_text,
) -> tuple[Path, Path]:
    """Write <name>.md (the `text` of the table) and <name>.csv (raw numbers, base units)."""
    heads = {metric: f"{column.head} ({column.base})" for metric, column in COLUMNS.items()}
    for metric in BOUNDED:
        column = COLUMNS[metric]
        heads |= {
            bound: f"{column.head}, {bound.rpartition('.')[2]} ({column.base})"
            for bound in _bounds(metric)
        }
    raw = table.rename(columns=heads).to_csv(index=False, lineterminator="\n")
    return (
        write_text(folder / f"{name}.md", text(table)),
        write_text(folder / f"{name}.csv", raw),
    )


def write_text(path: Path, text: str) -> Path:
    """Write a text of which nothing commands the terminal that shows it; see `write_file`."""
    return write_file(path, shown(text).encode())


def _note(said: dict[str, list[str]]) -> str:
    """What is said, and of which metrics: the first of them and how many more."""
    return "; ".join(
        f"{metrics[0]}{f' and {len(metrics) - 1} more' if metrics[1:] else ''}: {text}"
        for text, metrics in said.items()
    )


def _unlike(rows: list[Row]) -> list[str]:
    """The conditions in which rows of unlike keys differ, else what else a key depends on."""
    names = sorted({name for row in rows for name in row.conditions})
    unlike = [
        n for n in names if any(r.conditions.get(n) != rows[0].conditions.get(n) for r in rows)
    ]
    return unlike or ["machine or meter"]


def closest(found: list[Row], pipeline: str) -> Row | None:
    """An ok row of this pipeline, else of any: the cost is the network's, whatever its use."""
    return max(
        found,
        key=lambda row: (row.status == "ok", row.conditions.get("pipeline") == pipeline, row.at),
        default=None,
    )


def _why(table: int, cell: dict, row: Row | None, built: Callable[[str], bool]) -> str:
    if cell["metric"] in ON_THEIR_GPU:
        return f"{ON_THEIR_GPU[cell['metric']]} on the paper's RTX 3090; needs that GPU"
    if cell["metric"] not in COUNTED:
        dataset = "MPI-INF-3DHP" if table == 10 else "Human3.6M with the paper's 2D detections"
        return f"needs {dataset} and weights trained on it"
    if row is not None:
        return f"{row.status}: {row.reason}"
    if not built(cell["combination"]):
        return "not built"
    return f"not measured: run `htpbench cost --study table{table}`"


def _bounds(metric: str) -> list[str]:
    return [f"{metric}.low", f"{metric}.high"] if metric in BOUNDED else []


def amount(value: float, column: Column, sign: str = "") -> str:
    """A number of base units as text in the column's unit, "" for NaN; `sign` "+" shows both."""
    if math.isnan(value):
        return ""
    scaled = value / column.scale
    tiny = column.scale > 1 and 0 < abs(scaled) < 1  # small models keep telling digits
    return format(scaled, f"{sign}#.3g" if tiny else f"{sign}.{column.decimals}f")


def numbers(table: pandas.DataFrame, name: str, column: Column, bounds: bool = True) -> list[str]:
    """Cells as text in the column's unit: "12.20 [12.10, 12.30]", "" for NaN."""
    cells = [amount(value, column) for value in table[name]]
    if name not in BOUNDED or not bounds:
        return cells
    low, high = ([amount(value, column) for value in table[bound]] for bound in _bounds(name))
    return [
        f"{cell} [{a}, {b}]" if a and b else cell
        for cell, a, b in zip(cells, low, high, strict=True)
    ]


def markdown(table: pandas.DataFrame) -> str:
    """A pipe table; combinations as code, for Markdown would strike out what stands between ~."""
    told = {
        in_markdown(str(head)): column.map(as_code if head == "combination" else in_markdown)
        for head, column in table.astype(str).items()
    }
    cells = pandas.DataFrame(told).replace(r"\|", r"\\|", regex=True)
    return f"{cells.to_markdown(index=False, disable_numparse=True)}\n"

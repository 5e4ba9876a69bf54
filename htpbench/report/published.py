"""The numbers that the papers print, and whether ours are the same to the printed digit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pandas

from htpbench.errors import BenchError
from htpbench.outside import files
from htpbench.report.quantities import QUANTITIES
from htpbench.systems.shipped import data_folder


def published(table: int) -> pandas.DataFrame:
    """One line per printed number of a table of the H2OT paper (baselines/published/h2ot.csv).

    Columns row, method, combination, pipeline, frames (F), metric, value, printed (the text), unit.
    Texts are "" where the paper gives none. Raises BenchError for a table that has no numbers.
    """
    numbers = every_number()
    chosen = numbers[numbers["table"] == str(table)]
    if chosen.empty:
        known = ", ".join(numbers["table"].unique())
        raise BenchError(f"no published table {table!r}; known: {known}")
    return pandas.DataFrame(
        {
            "row": chosen["row"].astype(int),
            **{name: chosen[name] for name in ("method", "combination", "pipeline")},
            "frames": chosen["frames"].astype(int),
            "metric": chosen["metric"],
            "value": chosen["value"].astype(float),
            "printed": chosen["value"],
            "unit": chosen["unit"],
        }
    ).reset_index(drop=True)


def tables() -> list[int]:
    """The tables of the H2OT paper that have numbers."""
    return sorted({int(number) for number in every_number()["table"]})


def every_number() -> pandas.DataFrame:
    """The file as it is, all texts."""
    path = data_folder() / "baselines" / "published" / "h2ot.csv"
    return pandas.read_csv(path, dtype=str, keep_default_na=False)


def remarks(table: int) -> list[dict[str, Any]]:
    """What a reader of a table should know (baselines/published/h2ot-remarks.toml).

    Keys rows (none: the remark is of the whole table), metrics and text.
    """
    path = data_folder() / "baselines" / "published" / "h2ot-remarks.toml"
    every = files.load_toml(path)["remark"]
    return [{"rows": [], **one} for one in every if one["table"] == table]


def heads(metrics: Iterable[str]) -> str:
    """Metrics of the file, as people read them."""
    return "; ".join(QUANTITIES[metric].head for metric in metrics)


def remarks_shown(table: int) -> pandas.DataFrame:
    """The remarks as texts: columns rows, metrics and remark."""
    lines = [
        (", ".join(map(str, one["rows"])) or "all", heads(one["metrics"]), one["text"])
        for one in remarks(table)
    ]
    return pandas.DataFrame(lines, columns=["rows", "metrics", "remark"])


def explained(table: int) -> dict[tuple[int, str], str]:
    """(row, metric) -> the remark that names this printed number."""
    return {
        (row, metric): one["text"]
        for one in remarks(table)
        for row in one["rows"]
        for metric in one["metrics"]
    }


def uses(cells: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Pipeline ("": not said) -> the combinations that a table prints in this use, each once."""
    found: dict[str, dict[str, None]] = {}
    for one in cells:
        if one["combination"]:
            found.setdefault(one["pipeline"], {})[one["combination"]] = None
    return {pipeline: [*names] for pipeline, names in found.items()}


def unpruned(cells: Iterable[Mapping[str, Any]]) -> dict[int, int]:
    """Row of a pruned network -> the row of a table where it is printed unpruned, in the same use.

    Of rows that name one network the last is the one whose printed numbers belong together.
    """
    rows = {one["row"]: one for one in cells}
    whole = {(one["combination"], one["pipeline"]): row for row, one in rows.items()}
    parts = {row: one["combination"].partition("+") for row, one in rows.items()}
    return {
        row: base
        for row, one in rows.items()
        if parts[row][2] and (base := whole.get((parts[row][0], one["pipeline"]))) is not None
    }


def saving(cells: pandas.DataFrame) -> dict[int, float]:
    """Row -> what a pruned network saves of our cost of the same network unpruned, in percent.

    `cells`: of a published table; a row without both costs is left out.
    """
    costs = (one for one in cells.to_dict("records") if one["metric"] == "flops")
    known = [one for one in costs if not math.isnan(one["ours"])]
    whole = {one["combination"]: one["ours"] for one in known if "+" not in one["combination"]}
    return {
        one["row"]: 100 * (1 - one["ours"] / whole[name])
        for one in known
        if (name := one["combination"].partition("+")[0]) in whole and name != one["combination"]
    }


def scale_of(unit: str) -> int:
    """Base units in one printed unit: M and G count parameters and FLOPs, the rest is base."""
    return {"M": 10**6, "G": 10**9, "GB": 10**9}.get(unit, 1)


def decimals(printed: str) -> int:
    """Digits behind the point."""
    return len(printed.partition(".")[2])


def as_printed(value: float, printed: str, unit: str) -> str:
    """`value` (base units) in `unit` with as many decimals as `printed`, half rounded up."""
    digit = Decimal(1).scaleb(-decimals(printed))  # "277.25" -> 0.01
    scaled = Decimal(str(value)) / scale_of(unit)
    return str(scaled.quantize(digit, rounding=ROUND_HALF_UP))


def same_digit(value_in_base_units: float, printed: str, unit: str) -> bool:
    """Whether our number, rounded like the printed one, is the printed one."""
    return as_printed(value_in_base_units, printed, unit) == printed

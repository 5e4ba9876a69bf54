"""The numbers that the papers print, and whether ours are the same to the printed digit."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pandas

from htpbench.data import data_folder
from htpbench.errors import BenchError


def published(table: int) -> pandas.DataFrame:
    """One line per printed number of a table of the H2OT paper (baselines/published/h2ot.csv).

    Columns row, method, combination, pipeline, metric, value, printed (the text), unit. Texts are
    "" where the paper gives none. Raises BenchError for a table that has no numbers.
    """
    path = data_folder() / "baselines" / "published" / "h2ot.csv"
    numbers = pandas.read_csv(path, dtype=str, keep_default_na=False)
    chosen = numbers[numbers["table"] == str(table)]
    if chosen.empty:
        known = ", ".join(numbers["table"].unique())
        raise BenchError(f"no published table {table!r}; known: {known}")
    return pandas.DataFrame(
        {
            "row": chosen["row"].astype(int),
            **{name: chosen[name] for name in ("method", "combination", "pipeline", "metric")},
            "value": chosen["value"].astype(float),
            "printed": chosen["value"],
            "unit": chosen["unit"],
        }
    ).reset_index(drop=True)


def scale_of(unit: str) -> int:
    """Base units in one printed unit: M and G count parameters and FLOPs, the rest is base."""
    return {"M": 10**6, "G": 10**9}.get(unit, 1)


def as_printed(value: float, printed: str, unit: str) -> str:
    """`value` (base units) in `unit` with as many decimals as `printed`, half rounded up."""
    digit = Decimal(1).scaleb(-len(printed.partition(".")[2]))  # "277.25" -> 0.01
    scaled = Decimal(str(value)) / scale_of(unit)
    return str(scaled.quantize(digit, rounding=ROUND_HALF_UP))


def same_digit(value_in_base_units: float, printed: str, unit: str) -> bool:
    """Whether our number, rounded like the printed one, is the printed one."""
    return as_printed(value_in_base_units, printed, unit) == printed

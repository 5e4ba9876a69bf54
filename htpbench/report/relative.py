"""What a network gains over itself unpruned, as a paper prints it and as we measure it.

Times and memory belong to a machine; what pruning makes of them hardly does, and that is what the
papers' tables are read for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from htpbench.records.pairing import SYSTEM, unlike
from htpbench.records.row import number
from htpbench.records.sessions import Card, noise, ratio
from htpbench.report.quantities import SHARE, Quantity
from htpbench.systems import catalogue

WORDS = ("agrees", "differs", "cannot tell")
NEAR = 0.05  # of ours: how far a printed number may be from it, and how wide it may be
NOT_MEASURED = "not measured"
PROCESS_GB = 1.25  # of printed memory: what a process with CUDA takes; see docs/cost.md, "Memory"


class Ratio(NamedTuple):
    """A number with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def verdict(printed: float, ours: Ratio, rounding: float = 0.0) -> str:
    """How a printed number goes with ours: one of WORDS.

    It agrees within 5 % of ours (or by what rounding hides) where our interval is no wider on
    either side; it differs where it is farther than that from all that our interval holds.
    """
    near = max(NEAR * abs(ours.value), rounding)
    narrow = max(ours.value - ours.low, ours.high - ours.value) <= near
    if narrow and abs(printed - ours.value) <= near:
        return "agrees"
    if not ours.low - near <= printed <= ours.high + near:
        return "differs"
    return "cannot tell"


def printed_ratio(cell: Mapping[str, Any], whole: Mapping[str, Any]) -> float:
    """A printed number over that of the unpruned network; of a share, the share."""
    if cell["metric"] == SHARE:
        return cell["value"]
    off = PROCESS_GB if cell["metric"] == "gpu_memory" else 0.0
    return (cell["value"] - off) / (whole["value"] - off)


def our_ratio(metric: str, quantity: Quantity, mine: Card, whole: Card) -> Ratio | str:
    """Ours over that of the unpruned network, or why there is none; of a share, the share."""
    gained = quantity.gained
    if gained not in mine or gained not in whole:
        return NOT_MEASURED
    if found := unlike(mine[gained], whole[gained], SYSTEM | {"pipeline"}):
        said = "; ".join(f"{name} is {a!r}, not {b!r}" for name, (a, b) in found.items())
        return f"not comparable with the unpruned network: {said}"
    if said := noise(gained, mine) or noise(gained, whole):
        return f"not to be trusted: {said}"
    found = ends(metric, gained, mine, whole)
    if found is None:
        return "it has no interval: of one process, or of an older clock"
    return found if quantity.sign > 0 else Ratio(1 / found.value, 1 / found.high, 1 / found.low)


def ends(metric: str, gained: str, mine: Card, whole: Card) -> Ratio | None:
    """A ratio of ours with its interval, a share as it is; None where there is no interval."""
    row = mine[gained]
    if metric == SHARE:
        known = row.low is not None and row.high is not None
        return Ratio(number(row), row.low, row.high) if known else None  # type: ignore[arg-type]
    if catalogue.metric(gained).exact:
        return Ratio(*(number(row) / number(whole[gained]),) * 3)
    told = ratio(gained, mine, whole)
    return Ratio(*told[:3]) if told else None

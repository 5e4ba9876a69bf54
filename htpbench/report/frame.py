"""What one output frame costs in a published table, beside its error: the paper's, and ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from htpbench.outside import files
from htpbench.records.pairing import MPJPE
from htpbench.records.results import Results
from htpbench.records.row import in_time
from htpbench.records.rows import Row
from htpbench.report.paper import closest
from htpbench.report.published import published, scale_of, unpruned
from htpbench.report.quantities import COUNTED
from htpbench.systems.shipped import data_folder

# Conditions in which all of ours must agree; how its windows are cut is each network's own matter.
SAME = ("data", "fingerprint", "split", "detections", "frame_rate", "engine", "dtype")


@dataclass(frozen=True)
class Printed:
    """A row of a published table; costs are FLOP of one output frame, in the papers' convention."""

    row: int  # its number in the paper
    name: str  # the method without its venue
    combination: str
    pipeline: str
    poses: int  # that a pass gives
    cost: float
    error: float  # MPJPE, mm
    evaluated: float | None  # the cost at which the error was measured, where that is another
    whole: int | None  # the row of the same network unpruned, if this one prunes


@dataclass(frozen=True)
class Measured:
    """Ours of what a paper prints: FLOP of one output frame, and MPJPE."""

    printed: Printed
    cost: float
    error: Row


def evaluated(table: int) -> list[dict[str, Any]] | None:
    """The rows whose error was measured at another cost than is printed; None: no such figure.

    From baselines/published/h2ot-frame.toml: keys row, stride or flops (G), and text.
    """
    path = data_folder() / "baselines" / "published" / "h2ot-frame.toml"
    known = {one["table"]: one["evaluated"] for one in files.load_toml(path)["drawn"]}
    return known.get(table)


def printed_frames(table: int) -> list[Printed]:
    """The rows of a published table that has FLOPs and MPJPE, in its order."""
    cells = published(table).to_dict("records")
    value = {(one["row"], one["metric"]): one["value"] * scale_of(one["unit"]) for one in cells}
    rows = {one["row"]: one for one in cells}
    whole = unpruned(cells)
    unlike = {one["row"]: one for one in evaluated(table) or []}
    found = []
    for row, one in rows.items():
        flop, poses = value[row, "flops"], one["frames"] if one["pipeline"] == "seq2seq" else 1
        other = unlike.get(row)
        printed = Printed(
            row=row,
            name=re.sub(r" \(.*?\)", "", one["method"]),
            combination=one["combination"],
            pipeline=one["pipeline"],
            poses=poses,
            cost=flop / poses,
            error=value[row, "mpjpe"],
            evaluated=_cost(other, flop, poses) if other else None,
            whole=whole.get(row),
        )
        found.append(printed)
    return found


def _cost(measured: dict[str, Any], flop: float, poses: int) -> float:
    """FLOP a frame when an error was measured: of a pass every `stride` frames."""
    flop = measured["flops"] * scale_of("G") if "flops" in measured else flop
    return flop / measured.get("stride", poses)


def measured_frames(printed: Sequence[Printed], rows: Iterable[Row]) -> list[Measured]:
    """Ours of the printed networks whose cost and MPJPE were both measured, once each.

    All are of the data of the newest of them. Networks with random weights have no error to set
    beside the paper's.
    """
    cells = Results.of(rows).cells
    found: dict[tuple[str, str], list[Measured]] = {}
    for one in printed:
        cost = closest(cells.get((one.combination, COUNTED["flops"]), []), one.pipeline)
        if cost is not None and cost.status == "ok":
            flop = cost.value / one.poses  # type: ignore[operator]  # ok rows of cells hold a number
            scored = in_time(cells.get((one.combination, MPJPE), []))
            found[one.combination, one.pipeline] = [
                Measured(one, flop, row) for row in scored if _fits(row, one.pipeline)
            ]
    every = [one for rivals in found.values() for one in rivals]
    if not every:
        return []
    newest = max(every, key=lambda one: one.error.at)
    alike = {one.printed.row: one for one in every if _of(one.error) == _of(newest.error)}
    return [*alike.values()]


def _fits(row: Row, pipeline: str) -> bool:
    """Whether an error is of trained weights, in the use of the network that the paper printed."""
    card = row.conditions
    return card.get("pipeline") == pipeline and card.get("weights") != "random"


def _of(row: Row) -> list[Any]:
    """What an error was measured on."""
    return [row.conditions.get(field) for field in SAME]

"""What one output frame costs in a published table, beside its error: the paper's, and ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas

from htpbench.outside import files
from htpbench.records.pairing import MPJPE
from htpbench.records.results import Results, in_time
from htpbench.records.rows import Row
from htpbench.report.paper import COUNTED, closest
from htpbench.report.published import published, scale_of
from htpbench.systems.shipped import data_folder

# Conditions in which all of ours must agree; how its windows are cut is each network's own matter.
SAME = ("data", "fingerprint", "split", "detections", "frame_rate")


def evaluated(table: int) -> list[dict[str, Any]] | None:
    """The rows whose error was measured at another cost than is printed; None: no such figure.

    From baselines/published/h2ot-frame.toml: keys row, stride or flops (G), and text.
    """
    path = data_folder() / "baselines" / "published" / "h2ot-frame.toml"
    known = {one["table"]: one["evaluated"] for one in files.load_toml(path)["drawn"]}
    return known.get(table)


def printed_frames(table: int) -> pandas.DataFrame:
    """One line per row of a published table; the index is the row's number in the paper.

    Columns name (the method without its venue), combination, pipeline, poses (that a pass gives),
    cost (FLOP of one output frame, papers' convention), error (mm), evaluated (FLOP a frame as the
    error was measured, NaN where that is `cost`) and whole (the row of the network unpruned, 0 for
    none).
    """
    cells = published(table).set_index("row")
    flops, errors = (cells[cells["metric"] == metric] for metric in ("flops", "mpjpe"))
    passes = flops["value"] * flops["unit"].map(scale_of)  # FLOP of one pass
    lines = flops[["combination", "pipeline"]].assign(
        name=flops["method"].str.replace(r" \(.*?\)", "", regex=True),
        poses=flops["frames"].where(flops["pipeline"] == "seq2seq", 1),
        error=errors["value"],
        evaluated=float("nan"),
    )
    lines["cost"] = passes / lines["poses"]
    for one in evaluated(table) or []:
        row = one["row"]
        flop = one["flops"] * scale_of("G") if "flops" in one else passes[row]
        lines.loc[row, "evaluated"] = flop / one.get("stride", lines.loc[row, "poses"])
    # Of rows that name one network the last is the one whose printed numbers belong together.
    rows = {name: row for row, name in lines["combination"].items()}
    names = lines["combination"]
    lines["whole"] = [rows.get(name.partition("+")[0], 0) if "+" in name else 0 for name in names]
    return lines


def measured_frames(
    printed: pandas.DataFrame, rows: Iterable[Row]
) -> tuple[pandas.DataFrame, list[Row]]:
    """Ours of the combinations of `printed_frames` whose cost and MPJPE were both measured.

    Columns cost and error as there, by the same index; and the rows of MPJPE. All are of the data
    of the newest of them. Networks with random weights have no error to set beside the paper's.
    """
    cells = Results.of(rows).cells
    found: list[tuple[int, float, Row]] = []
    for one in printed.drop_duplicates("combination", keep="last").itertuples():
        name, pipeline = str(one.combination), str(one.pipeline)
        cost = closest(cells.get((name, COUNTED["flops"]), []), pipeline)
        if cost is not None and cost.status == "ok":
            a_frame = cost.value / one.poses  # type: ignore[operator]  # cells hold numbers
            scored = in_time(cells.get((name, MPJPE), []))
            found += [(one.Index, a_frame, row) for row in scored if _fits(row, pipeline)]  # type: ignore[misc]
    newest = max((row for _, _, row in found), key=lambda row: row.at, default=None)
    ours = {
        index: (cost, row)
        for index, cost, row in found
        if newest is not None and _of(row) == _of(newest)
    }
    lines = [
        {"row": index, "cost": cost, "error": row.value} for index, (cost, row) in ours.items()
    ]
    table = pandas.DataFrame(lines, columns=["row", "cost", "error"]).set_index("row")
    return table, [row for _, row in ours.values()]


def _fits(row: Row, pipeline: str) -> bool:
    """Whether an error is of trained weights, in the use of the network that the paper printed."""
    card = row.conditions
    return card.get("pipeline") == pipeline and card.get("weights") != "random"


def _of(row: Row) -> list[Any]:
    """What an error was measured on."""
    return [row.conditions.get(field) for field in SAME]

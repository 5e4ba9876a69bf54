"""What a study counts beside the rows that the paper prints, each with what its pruning saves."""

from __future__ import annotations

from collections.abc import Iterable

import pandas

from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.report.paper import closest
from htpbench.report.published import published
from htpbench.report.quantities import COUNTED
from htpbench.systems.catalogue import metric as metric_of
from htpbench.systems.combination import Combination


def unprinted(
    combinations: Iterable[Combination], table: int, rows: Iterable[Row]
) -> pandas.DataFrame:
    """One line a combination that the table does not print, with texts as people read them.

    The cost of one output frame is that of a pass over the poses that come out: F, or one where
    the network is seq2frame. Empty where all are printed or nothing is counted.
    """
    measured, printed = Results.of(rows).cells, set(published(table)["combination"])
    lines = []
    for one in combinations:
        if str(one) in printed:
            continue
        params, flops = (cost(measured, one, name) for name in COUNTED.values())
        whole = cost(measured, one.unpruned, COUNTED["flops"])
        if params is None or flops is None:
            continue
        head = metric_of(COUNTED["flops"]).head
        lines.append(
            {
                "row": "not printed",
                "combination": str(one),
                "pipeline": one.pipeline(),
                "parameters (M)": f"{params / 1e6:.2f}",
                f"{head} (G)": f"{flops / 1e9:.2f}",
                "of one output frame (G)": f"{flops / one.poses() / 1e9:.3g}",
                "FLOPs saved (%)": f"{100 * (1 - flops / whole):.1f}" if whole else "",
            }
        )
    return pandas.DataFrame(lines)


def cost(
    measured: dict[tuple[str, str], list[Row]], combination: Combination, name: str
) -> float | None:
    """One number of the cost of a combination; None where there is no ok row."""
    row = closest(measured.get((str(combination), name), []), combination.pipeline())
    return None if row is None or row.status != "ok" else float(row.value)  # type: ignore[arg-type]

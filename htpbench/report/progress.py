"""What is measured of a study and what is not: a line a combination, a column a meter."""

from __future__ import annotations

from collections import Counter

import pandas

from htpbench.records.results import Results
from htpbench.report.current import CONTROL
from htpbench.report.text import MARK
from htpbench.report.throughput import by_size
from htpbench.study import space
from htpbench.study.study import Study
from htpbench.systems import catalogue

DONE, DOUBTED, MISSING = "ok", f"{MARK}ok", "-"


def progress_table(study: Study, rows: Results) -> pandas.DataFrame:
    """`ok`, with a MARK where a busy machine was timed; else what became of it, or `-`.

    "" where a network may have nothing of a meter by its nature. `rows` are those of the report.
    """
    states: dict[tuple[str, str], str] = {}
    doubts = [part.doubtful for part in by_size(rows)]
    for row in rows.held:
        place = row.combination, row.metric.partition(".")[0]
        doubted = any(row.metric in told.get(row.combination, {}) for told in doubts)
        state = row.status if row.status != "ok" else DOUBTED if doubted else DONE
        states[place] = max(states.get(place, DONE), state, key=badness)
    listed = [*map(str, space.listed(study))]
    found = [name for name, _ in states if not name.startswith(CONTROL)]
    none = {meter: "" if catalogue.of_some(meter) else MISSING for meter in study.meters}
    lines = [
        {"combination": name, **{m: states.get((name, m), none[m]) for m in study.meters}}
        for name in dict.fromkeys([*listed, *found])
    ]
    return pandas.DataFrame(lines, columns=["combination", *study.meters])


def badness(state: str) -> int:
    """Of several metrics of a meter the worst is told: a failure, then a doubt."""
    return {DONE: 0, DOUBTED: 1}.get(state, 2)


def said(table: pandas.DataFrame) -> str:
    """How much of it there is, in one line."""
    cells = filter(None, table.drop(columns="combination").to_numpy().ravel())
    count = Counter(map(str, cells))
    doubted, missing = count[DOUBTED], count[MISSING]
    failed = count.total() - count[DONE] - doubted - missing
    parts = [f"{count[DONE] + doubted} of {count.total()} measured"]
    parts += [f"{doubted} of them times that are not to be trusted"] if doubted else []
    parts += [f"{failed} without a number"] if failed else []
    parts += [f"{missing} missing"] if missing else []
    return ", ".join(parts)

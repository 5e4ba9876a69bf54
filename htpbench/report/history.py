"""Numbers over commits: what each network had at each, from the rows of several runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas

from htpbench.records.row import Row

COLUMNS = ["combination", "metric", "commit", "value", "low", "high"]
SHOWN = 8  # letters of a commit


def history(rows: Iterable[Row], places: Sequence[tuple[str, str]]) -> pandas.DataFrame:
    """The newest ok row of each (combination, metric) of `places` at each commit.

    Commits stand in the order in which they were first measured; rows without one are left out, as
    are those of other conditions than the newest.
    """
    wanted = set(places)
    rows = sorted((row for row in rows if row.status == "ok" and row.commit), key=lambda r: r.at)
    newest = {(row.combination, row.metric): row.conditions for row in rows}
    lines: dict[tuple[str, str, str], tuple] = {}
    for row in rows:
        place = row.combination, row.metric
        if place in wanted and row.conditions == newest[place]:
            commit = str(row.commit)[:SHOWN]
            lines[(*place, commit)] = (*place, commit, row.value, row.low, row.high)
    return pandas.DataFrame(lines.values(), columns=COLUMNS)

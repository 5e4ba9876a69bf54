"""Rows that were read once: reports, tables and figures hand them on and ask them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from htpbench.records.restated import restated
from htpbench.records.row import in_time
from htpbench.records.rows import Row, Store, Sweep, latest
from htpbench.records.sessions import noise

Environments = Mapping[str, Mapping[str, Any]]  # id -> the environment's line in the store


class Results:
    """Rows in the order they were read, with the environments and sweeps that lines tell of."""

    def __init__(
        self,
        rows: Iterable[Row],
        environments: Environments | None = None,
        sweeps: Mapping[str, Sweep] | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        self.rows = list(rows)
        self.environments = environments or {}
        self.sweeps = sweeps or {}
        self.problems = problems

    @classmethod
    def read(cls, folder: Path) -> Results:
        """All rows below a folder; BenchError as `Store.read`."""
        store = Store(folder)
        rows = restated(store.read())
        return cls(rows, store.environments, store.sweeps, store.problems)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Results:
        """Rows as results, which they may be already."""
        return rows if isinstance(rows, Results) else cls(rows)

    def only(self, rows: Iterable[Row]) -> Results:
        """Some of the rows, or those in another order."""
        return Results(rows, self.environments, self.sweeps)

    def after(self, sweep: Sweep) -> Results:
        """The same once a sweep has come to its end."""
        sweeps = {**self.sweeps, sweep.study: sweep}
        return Results(self.rows, self.environments, sweeps, self.problems)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def held(self) -> list[Row]:
        """The row that holds for each key."""
        return list(latest(self.rows).values())

    @cached_property
    def cells(self) -> dict[tuple[str, str], list[Row]]:
        """(combination, metric) -> the rows that hold, one per key; lists are left out."""
        found: dict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.held:
            if not isinstance(row.value, list):
                found[row.combination, row.metric].append(row)
        return dict(found)

    @cached_property
    def measured(self) -> dict[str, dict[str, Row]]:
        """Combination -> metric -> the newest of the ok rows that hold, lists among them."""
        found: dict[str, dict[str, Row]] = {
            row.combination: {} for row in self.held if row.status == "ok"
        }
        for row in in_time(self.held):
            found[row.combination][row.metric] = row
        return found

    @cached_property
    def doubtful(self) -> dict[str, dict[str, str]]:
        """Combination -> metric -> why what a clock said of it is not to be trusted."""
        found: dict[str, dict[str, str]] = {}
        for name, card in self.measured.items():
            for metric in card:
                if why := noise(metric, card):
                    found.setdefault(name, {})[metric] = why
        return found

    @cached_property
    def numbers(self) -> dict[str, dict[str, float]]:
        """Combination -> metric -> its number in the newest ok row; {} for one without any."""
        found: dict[str, dict[str, float]] = {}
        for (combination, metric), rivals in self.cells.items():
            line = found.setdefault(combination, {})
            for row in in_time(rivals)[-1:]:
                line[metric] = row.value  # type: ignore[assignment]
        return found

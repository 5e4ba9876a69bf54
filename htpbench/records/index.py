"""What is known of each key, by this worker or another: the reason not to measure it again."""

from __future__ import annotations

from collections import Counter

from htpbench.records.rows import Row, Store, latest

ATTEMPTS = 3  # a key that failed as often is left alone unless --retry asks for it


class Known:
    """The row that holds for each key of a store, kept up with what other workers append.

    A failure of an earlier sweep is tried again, up to ATTEMPTS in all; one of this sweep is not.
    """

    def __init__(self, store: Store, retry: bool = False) -> None:
        self.store = store
        self.retry = retry
        self.rows: dict[str, Row] = {}
        self.failures: Counter[str] = Counter()  # in earlier sweeps
        self.tried: set[str] = set()  # in this one, by whomever
        self._begun = False

    def refresh(self) -> None:
        """Read what was appended since the last time."""
        new = self.store.fresh()
        rivals = [self.rows[row.key] for row in new if row.key in self.rows]
        self.rows |= latest([*rivals, *new])
        if self._begun:
            self.tried.update(row.key for row in new)
        else:
            self.failures.update(row.key for row in new if row.status in ("failed", "timeout"))
        self._begun = True

    def begin(self) -> None:
        """Read the store, if that was not done yet: what comes later belongs to this sweep."""
        if not self._begun:
            self.refresh()

    def add(self, row: Row) -> None:
        """A row that this worker wrote."""
        self.rows[row.key] = row
        self.tried.add(row.key)

    def settled(self, key: str) -> bool:
        """Whether nothing needs to be measured for a key now."""
        row = self.rows.get(key)
        if row is None or row.status == "ok":
            return row is not None
        if row.status == "pruned":
            return False  # whether it still is, is asked each time
        return key in self.tried or (not self.retry and self.failures[key] >= ATTEMPTS)

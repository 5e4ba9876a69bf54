"""What is known of each key, by this worker or another: the reason not to measure it again."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

from htpbench.errors import BenchError
from htpbench.records.rows import Row, Store, latest

ATTEMPTS = 3  # a key that failed as often is left alone unless --retry asks for it
COMMITTED = "COMMITTED"  # a file that marks a folder of rows as one for reading


class RowIndex:
    """The row that holds for each key, kept up with what other workers append.

    What workers of other machines measured counts as well: keys without a machine are the same.
    Rows that came with a repository do not (their folder has a file COMMITTED): they are for
    reports, and a fresh clone measures. A failure of an earlier sweep is tried again, up to
    ATTEMPTS in all; one of this sweep is not.
    """

    def __init__(self, results: Path, machine: str, retry: bool = False) -> None:
        self.results = results
        self.own = Store(results / machine)
        self.stores: dict[Path, Store] = {}  # of other machines
        self.retry = retry
        self.rows: dict[str, Row] = {}
        self.failures: Counter[str] = Counter()  # in earlier sweeps
        self.tried: set[str] = set()  # in this one, by whomever
        self._begun = False

    def others(self) -> list[Row]:
        """What other machines appended since the last time; a folder that cannot be read is none.

        It is theirs to mend, and nobody waits for them.
        """
        found: list[Row] = []
        with suppress(OSError):
            for folder in sorted(self.results.iterdir()):
                with suppress(BenchError, OSError):
                    if folder.is_symlink() or not folder.is_dir() or folder == self.own.folder:
                        continue
                    if not (folder / COMMITTED).exists():
                        found += self.stores.setdefault(folder, Store(folder)).fresh()
        return found

    def refresh(self) -> None:
        """Read what was appended since the last time."""
        own, others = self.own.fresh(), self.others()
        # What failed elsewhere may work here.
        new = [*own, *(row for row in others if row.status == "ok")]
        rivals = [self.rows[row.key] for row in new if row.key in self.rows]
        self.rows |= latest([*rivals, *new])
        if self._begun:
            self.tried.update(row.key for row in new)
        else:
            self.failures.update(row.key for row in own if row.status in ("failed", "timeout"))
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

"""What a gate finds: a number each, and the judgement that they make together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from htpbench.gate.pinned import Rows
from htpbench.records.row import Row

REGRESSION, INCOMPLETE = 1, 3  # exit codes; 0 passes, 2 is wrong usage, 4 an unreadable file


class Finding(NamedTuple):
    """One gated number: "same", "worse", "better", or "missing" where it cannot be compared.

    Of one that is required: "kept", "worse", or "unsure" where its interval holds the limit.
    """

    row: Row
    state: str
    pinned: str = ""
    found: str = ""
    difference: str = ""
    why: str = ""

    @property
    def fails(self) -> bool:
        """Whether the gate does not pass with it."""
        return self.state in ("worse", "missing")


@dataclass(frozen=True)
class Judgement:
    """What a gate found of a study, number by number."""

    study: str
    findings: Sequence[Finding]
    before: Rows
    after: Rows

    @property
    def code(self) -> int:
        """The exit code: a regression first, then what could not be compared."""
        states = {finding.state for finding in self.findings}
        if "worse" in states:
            return REGRESSION
        return INCOMPLETE if "missing" in states or not states else 0

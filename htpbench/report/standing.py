"""Who keeps a study's constraints and who is on its front, from rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from htpbench.records.front import front, keeps
from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.report.current import CONTROL
from htpbench.study.study import Study


@dataclass(frozen=True)
class Standing:
    """Names of networks, and what a reader should be told of them."""

    allowed: frozenset[str] = frozenset()  # keep every constraint
    best: frozenset[str] = frozenset()  # of these, on the front of all objectives
    remarks: list[str] = field(default_factory=list)

    def told(self, names: Iterable[str]) -> list[str]:
        """The same in words for a page, where nothing stars its lines."""
        best = ", ".join(name for name in names if name in self.best)
        said = [one.removeprefix("* on the front: ") for one in self.remarks]
        return [f"on the front: {best} ({said[0]})", *said[1:]] if best else said


def unlisted(study: Study) -> set[str]:
    """What a study is measured beside and does not list, so that it is on no front."""
    return {str(study.reference_combination().unpruned)} - {str(one) for one in study.parsed()}


def standing(study: Study, rows: Iterable[Row]) -> Standing:
    """The standing of the networks of one table; on the front is what the study lists or found."""
    constraints = study.constraints()
    lines = {
        name: values
        for name, values in Results.of(rows).numbers.items()
        if not name.startswith(CONTROL)
    }
    allowed = {name for name, values in lines.items() if keeps(values, constraints)}
    beside = unlisted(study)
    lines = {name: values for name, values in lines.items() if name not in beside}
    marks = front(lines.values(), study.objectives, constraints)
    best = {name for name, is_best in zip(lines, marks, strict=True) if is_best}
    remarks = []
    if best:
        those = "nothing that keeps the constraints" if constraints else "nothing"
        remarks.append(f"* on the front: {those} is better in {' and '.join(study.objectives)}")
    for one in constraints:
        known = [values for values in lines.values() if one.metric in values]
        passed = sum(not keeps(values, [one]) for values in known)
        if passed:
            remarks.append(f"{passed} of {len(lines)} violate {one}")
        if len(known) < len(lines):
            remarks.append(f"{len(lines) - len(known)} of {len(lines)} have no value for {one}")
    return Standing(frozenset(allowed), frozenset(best), remarks)

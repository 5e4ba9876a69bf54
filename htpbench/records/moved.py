"""What moved between two runs: the same networks in two folders of results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field

from htpbench.errors import BenchError
from htpbench.outside.printable import first_of
from htpbench.records.judging import Verdict
from htpbench.records.results import Results
from htpbench.records.verdicts import asked, cards, judged, usual
from htpbench.systems import catalogue

WORDS = ("better", "worse", "same", "unsure")


@dataclass
class Moved:
    """Verdicts on run B against run A, network by network, and what has none."""

    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)  # by combination
    remarks: list[str] = field(default_factory=list)

    def which(self) -> list[tuple[str, Verdict]]:
        """The numbers that moved: better, worse, or counted otherwise by however little."""
        return [
            (name, one)
            for name, found in self.verdicts.items()
            for one in found
            if one.verdict in ("better", "worse") or (one.how == "exact" and one.difference)
        ]

    def summary(self) -> str:
        """How many numbers of how many networks are what."""
        count = Counter(one.verdict for found in self.verdicts.values() for one in found)
        said = ", ".join(f"{count[word]} {word}" for word in WORDS if count[word])
        return f"{count.total()} numbers of {len(self.verdicts)} networks: {said or 'none'}"


def between_runs(metric: str) -> bool:
    """Whether two runs can be compared in a metric: not in absolute times."""
    known = catalogue.metric(metric)
    return not catalogue.exclusive(metric) or known.to_reference or known.exact


def moved(before: Results, after: Results, metrics: Collection[str] = ()) -> Moved:
    """Judge B against A; BenchError where nothing can be judged, or for an unknown metric."""
    sides = [dict.fromkeys(row.combination for row in run.held) for run in (before, after)]
    both = [name for name in sides[0] if name in sides[1]]
    if not both:
        raise BenchError("no network was measured in both runs; name two folders of rows")
    wanted = asked(metrics, [*before.held, *after.held]) if metrics else ()
    for metric in wanted:
        if not between_runs(metric):
            raise BenchError(
                f"{metric} is a machine's at one moment; compare what is gained over the "
                f"reference, as {metric.partition('.')[0]}.speedup"
            )
    found, refused = Moved(), dict[str, list[str]]()
    for name in both:
        base, mine = (cards(run.held, name) for run in (before, after))
        told = wanted or [one for one in usual(base, mine) if between_runs(one)]
        verdicts, apart, _ = judged(told, base, mine)
        found.verdicts[name] = verdicts
        for metric, why in apart.items():
            refused.setdefault(why or "not measured in both", []).append(f"{name} {metric}")
    found.remarks += [f"{first_of(places)}: {why}" for why, places in refused.items()]
    for run, mine, other in (("A", *sides), ("B", *reversed(sides))):
        if alone := [name for name in mine if name not in other]:
            found.remarks.append(f"in {run} alone: {first_of(alone)}")
    if not any(found.verdicts.values()):
        raise BenchError("; ".join(["nothing can be compared", *found.remarks]))
    return found

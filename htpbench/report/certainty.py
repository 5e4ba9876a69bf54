"""How sure a study is of its errors: verdicts on all its networks at once, and ties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import pandas

from htpbench.errors import BenchError
from htpbench.records.family import Comparison, tellable, ties, words
from htpbench.records.intervals import FLOOR
from htpbench.records.judging import Word, too_little, trained_apart
from htpbench.records.pairing import MPJPE, Card, comparable, difference, paired
from htpbench.records.results import Results
from htpbench.records.row import Row, number
from htpbench.report.regimes import networks, scored
from htpbench.report.seeds import by_seed
from htpbench.report.tables import amount
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.metric import Metric

Network = tuple[str, str]  # combination, regime; "" where the study trained none
Seeds = Mapping[int | None, Card]  # training seed -> a network's rows
Pair = tuple[Card, Card]


def certainty(study: Study, rows: Iterable[Row]) -> pandas.DataFrame:
    """One line a network, as texts; empty where nothing can be paired with the reference.

    The verdicts are corrected for all of the study's comparisons with its reference (Holm), the
    intervals are of each alone. `over`: how many subjects, and how many of the same length would
    tell as much. `tells`: the smallest difference that is found in half of all cases; `group`: of
    one group none can be told from its best.
    """
    results, name = Results.of(rows), objective(study)
    against = references(study, results, name)
    cards = {
        one: {seed: mine for seed, (mine, _) in pairs.items()} for one, pairs in against.items()
    }
    cards |= bases(study, results, name)
    family = {one: compared(name, [*pairs.values()]) for one, pairs in against.items()}
    sure = {one: comparison for one, (comparison, why) in family.items() if not why}
    verdicts = dict(zip(sure, words([*sure.values()]), strict=True))
    groups, metric = grouped(name, cards) if sure else {}, finer(name)
    lines, tells = [], f"tells ({metric.read or metric.unit})"
    for one in cards:
        line = {"combination": one[0], "weights": one[1]}
        if one in family:
            line |= told_apart(name, family[one][0], verdicts.get(one, "unsure"))
            line[tells] = amount(tellable(sure[one], len(sure)), metric) if one in sure else ""
            line["why unsure"] = family[one][1]
        lines.append({**line, "group": str(groups.get(one, ""))})
    table = pandas.DataFrame(lines).fillna("")
    return table.loc[:, [any(table[column]) for column in table]] if family else table.iloc[:0]


def told_apart(name: str, comparison: Comparison, verdict: Word) -> dict[str, str]:
    """The difference with its interval, the verdict, and what it rests on."""
    metric, found = finer(name), comparison.apart
    low, high = (None if end is None else amount(end, metric, "+") for end in found.interval())
    bounds = f" [{low}, {high}]" if low and high else ""
    seeds = f" x {found.seeds} seeds" if found.seeds > 1 else ""
    over = f"{found.subjects} subjects ({found.effective:.1f}){seeds}" if found.subjects else ""
    head = f"{metric.head} minus the reference's ({metric.read or metric.unit})"
    return {head: f"{amount(found.value, metric, '+')}{bounds}", "is": verdict, "over": over}


def finer(name: str) -> Metric:
    """A metric with a decimal more: differences are small."""
    metric = catalogue.metric(name)
    return replace(metric, decimals=metric.decimals + 1)


def briefly(table: pandas.DataFrame) -> str:
    """Why none of a study's comparisons has a verdict; "" where one has."""
    if table.empty or "group" in table:
        return ""
    why = dict.fromkeys(filter(None, table["why unsure"]))
    return f"no verdicts on errors: {'; '.join(why)}"


def objective(study: Study) -> str:
    """The study's first objective that is told by clip, else MPJPE."""
    named = [one for one in study.objectives if catalogue.metric(one).paired_by]
    return (named or [MPJPE])[0]


def references(
    study: Study, results: Results, name: str
) -> dict[Network, Mapping[int | None, Pair]]:
    """Each network's rows and the reference's, by seed."""
    reference = str(study.reference_combination())
    found: dict[Network, Mapping[int | None, Pair]] = {}
    if study.training and scored(results):
        for one, by_one in by_seed(results, reference).items():
            whole: dict[int | None, Pair] = {
                seed: pair for seed, pair in by_one.items() if pairs(name, *pair)
            }
            found |= {one: whole} if whole else {}
        return found
    base = results.measured.get(reference, {})
    for combination, mine in results.measured.items():
        if combination != reference and pairs(name, mine, base):
            found[combination, ""] = {None: (mine, base)}
    return found


def bases(study: Study, results: Results, name: str) -> dict[Network, Seeds]:
    """The reference's own rows, by seed; of every regime where the study trained its networks."""
    reference = str(study.reference_combination())
    if not (study.training and scored(results)):
        mine = results.measured.get(reference, {})
        return {(reference, ""): {None: mine}} if name in mine else {}
    found: dict[Network, dict[int | None, Card]] = {}
    for (combination, regime, seed), mine in networks(results).items():
        if combination == reference and name in mine:
            found.setdefault((combination, regime), {})[seed] = mine
    return dict(found)


def pairs(name: str, mine: Card, base: Card) -> bool:
    """Whether two networks' rows can be paired clip by clip."""
    try:
        comparable(mine, base)
    except BenchError:
        return False
    return name in mine and name in base and paired(name, mine, base)


def compared(name: str, found: Sequence[Pair]) -> tuple[Comparison, str]:
    """One comparison, and why there can be no verdict on it."""
    mine, base = found[0]
    found = [pair for pair in found if paired(name, pair[0], mine)]  # scored on the same clips
    apart = difference(found, name)
    floor = FLOOR * abs(sum(number(other[name]) for _, other in found) / len(found))
    why = too_little(apart, trained_apart(mine[name], base[name]))
    return Comparison(apart, floor, catalogue.metric(name).better or "less"), why


def grouped(name: str, cards: Mapping[Network, Seeds]) -> dict[Network, int]:
    """The group of each network; those of one regime are grouped together."""
    groups: dict[Network, int] = {}
    turned = -1 if catalogue.metric(name).better == "more" else 1
    for regime in dict.fromkeys(regime for _, regime in cards):
        mine = {one: seeds for one, seeds in cards.items() if one[1] == regime}

        def mean(one: Network, mine: Mapping[Network, Seeds] = mine) -> float:
            values = [number(card[name]) for card in mine[one].values()]
            return turned * sum(values) / len(values)

        groups |= ties(sorted(mine, key=mean), partial(judged, name, mine))
    return groups


def judged(
    name: str, cards: Mapping[Network, Seeds], first: Network, others: Sequence[Network]
) -> list[Word]:
    """The verdicts on others against the first, in one family; unsure where none can be given."""
    found: dict[Network, Comparison] = {}
    for one in others:
        mine, base = cards[one], cards[first]
        both = [(mine[seed], base[seed]) for seed in mine if seed in base]
        both = [pair for pair in both if pairs(name, *pair)]
        if both:
            comparison, why = compared(name, both)
            found |= {} if why else {one: comparison}
    told = dict(zip(found, words([*found.values()]), strict=True))
    return [told.get(one, "unsure") for one in others]

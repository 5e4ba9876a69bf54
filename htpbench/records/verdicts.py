"""Is B better than A? A verdict for each metric, from rows alone."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from htpbench.errors import BenchError, unknown
from htpbench.outside.printable import first_of
from htpbench.records.judging import Verdict, judge, seeds
from htpbench.records.pairing import BY_CLIP, FRAMES, SYSTEM, WEIGHTS, Card, apart, unlike
from htpbench.records.rows import Row, latest
from htpbench.records.sessions import FEWEST_PROCESSES, noise, timed
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.combination import parse
from htpbench.systems.shipped import data_folder


def compare(
    a: str, b: str, rows: Iterable[Row], metrics: Collection[str] = (), study: Study | None = None
) -> tuple[list[Verdict], list[str]]:
    """Verdicts on B against A, and what was refused: a sentence each, the last with the remedy.

    Without `metrics`: all that are exact or have an interval. `study`: whose rows they are, where
    they are one's. BenchError for an unknown metric.
    """
    if a == b:
        raise BenchError(f"A and B are both {a}; expected two combinations")
    rows = [row for row in latest(rows).values() if row.combination in (a, b)]
    base, mine = cards(rows, a), cards(rows, b)
    wanted = asked(metrics, rows) if metrics else usual(base, mine)
    found, reasons, busily = judged(wanted, base, mine)
    refused: dict[str, list[str]] = {}
    for metric, why in reasons.items():
        if not why:
            missing = filter(None, (lacking(metric, name, rows) for name in (a, b)))
            why = "; ".join(missing) or "measured in part, for a sweep was stopped"
        refused.setdefault(why, []).append(metric)
    if not found and not refused:
        none = " and ".join(name for name, held in ((a, base), (b, mine)) if not held)
        refused = {f"no rows of {none or 'what both have'}": ["cost"]}
    said = [f"{first_of(names)}: {why}" for why, names in refused.items()]
    needed = {name.partition(".")[0]: None for names in refused.values() for name in names}
    if not said:
        return found, []
    command = swept(study, a, b, needed) or by_hand(a, b, needed, rows)
    return found, [*said, remedy(command, busily)]


def judged(
    metrics: Iterable[str], base: Sequence[Card], mine: Sequence[Card]
) -> tuple[list[Verdict], dict[str, str], bool]:
    """Verdicts on what two sides hold, why the rest has none ("": no rows), and was any busy.

    Of several conditions the newest pair that is alike counts, with the same weights if there is
    one.
    """
    found: list[Verdict] = []
    refused: dict[str, str] = {}
    busily = False
    for metric in metrics:
        pairs = [(x, y) for y in base for x in mine if metric in x and metric in y]
        pairs.sort(key=lambda pair: worth(metric, *pair), reverse=True)
        alike = next((pair for pair in pairs if not differ(*pair)), None)
        why = busy(metric, *alike) if alike else ""
        if alike and not why:
            found.append(judge(metric, seeds(metric, alike, pairs)))
            continue
        if not alike and pairs:
            fields = differ(*pairs[0]).items()
            said = "; ".join(f"{name} is {y!r} for A, {x!r} for B" for name, (x, y) in fields)
            why = f"the conditions differ: {said}"
        refused[metric] = why
        busily |= alike is not None
    return found, refused, busily


def cards(rows: Iterable[Row], name: str) -> list[Card]:
    """The ok rows of a combination, one group for each meter and conditions."""
    groups: dict[str, dict[str, Row]] = {}
    for row in sorted(rows, key=lambda row: row.at):  # of two versions of a meter the newest counts
        if row.combination == name and row.status == "ok":
            alike = json.dumps([row.metric.partition(".")[0], row.conditions], sort_keys=True)
            groups.setdefault(alike, {})[row.metric] = row
    whole = {BY_CLIP, FRAMES}  # a sweep that was killed left less: measured again, not compared
    return [g for g in groups.values() if whole <= g.keys() or "accuracy.mpjpe" not in g]


def usual(base: Iterable[Card], mine: Iterable[Card]) -> list[str]:
    """What is judged unless metrics are named: what is exact, told by clip or has an interval."""
    held = [{m: row for card in side for m, row in card.items()} for side in (base, mine)]
    rows = {m: row for side in held for m, row in side.items() if not isinstance(row.value, list)}
    known = {m: catalogue.metric(m) for m in rows}
    metrics = {
        m for m, one in known.items() if one.exact or one.paired_by or rows[m].low is not None
    }
    both = held[0].keys() & held[1].keys()
    # An unpruned network selects nothing, and a control has errors alone.
    if any(row.combination.startswith("control") for side in held for row in side.values()):
        metrics &= both
    metrics -= {m for m in metrics - both if catalogue.of_some(m)}
    order = {meter: place for place, meter in enumerate(catalogue.meters())}
    chosen = [m for m in rows if m in metrics]
    return sorted(chosen, key=lambda m: order.get(catalogue.metric(m).meter, len(order)))


def asked(metrics: Iterable[str], rows: Iterable[Row]) -> list[str]:
    """The metrics as they are; BenchError for one that a meter with rows does not know."""
    known = {row.metric for row in rows if not isinstance(row.value, list)}
    for metric in metrics:
        meter = metric.partition(".")[0]
        of_meter = {name for name in known if name.startswith(f"{meter}.")}
        if metric not in known and (of_meter or meter not in catalogue.meters()):
            raise unknown("metric", metric, known)
    return list(dict.fromkeys(metrics))


def differ(mine: Card, base: Card) -> dict[str, tuple[Any, Any]]:
    """The conditions that forbid a comparison: field -> (B's, A's)."""
    if {BY_CLIP, FRAMES} <= mine.keys() & base.keys():
        return apart(mine, base)
    return unlike(next(iter(mine.values())), next(iter(base.values())), SYSTEM)


def worth(metric: str, mine: Card, base: Card) -> tuple:
    """Larger for the same weights, then for times of more processes, then for newer rows."""
    row, other = mine[metric], base[metric]
    processes = [one.conditions.get("processes", 0) for one in (row, other)]
    return not WEIGHTS & unlike(row, other).keys(), min(processes), sorted([row.at, other.at])


def busy(metric: str, mine: Card, base: Card) -> str:
    """Why times must not be compared: what else ran; "" for all else."""
    said = [
        f"the times of {name} are not to be trusted ({why})"
        for name, card in (("A", base), ("B", mine))
        if (why := noise(metric, card))
    ]
    return "; ".join(said)


def lacking(metric: str, name: str, rows: Iterable[Row]) -> str:
    """Why a combination has no row to compare; "" where it has one."""
    found = [row for row in rows if (row.combination, row.metric) == (name, metric)]
    newest = max(found, key=lambda row: (row.status == "ok", row.at), default=None)
    if newest is None:
        return f"not measured for {name}"
    if newest.status == "ok":
        return ""
    return f"{newest.status} for {name}" + (f" ({newest.reason})" if newest.reason else "")


def remedy(command: str | None, busily: bool) -> str:
    """What to do, by the command that measures both alike (None: some study's).

    busily: a busy machine timed them, and they are to be measured anew.
    """
    if command is None:
        return "measure both alike with `htpbench sweep` of one study"
    if busily:
        return f"close what runs beside it, or add --wait-quiet 30, and `{command} --retry`"
    return f"measure both alike with `{command}`"


def swept(study: Study | None, a: str, b: str, needed: Collection[str]) -> str | None:
    """The sweep that measures both alike, where a study lists them and asks these meters."""
    if study is None or not {*needed} <= {*study.meters}:
        return None
    listed = {str(one) for one in study.parsed()}
    both = all(name in listed or name.startswith("control") for name in (a, b))
    return f"htpbench sweep {study.called}" if both else None


def by_hand(a: str, b: str, needed: Iterable[str], rows: Iterable[Row]) -> str | None:
    """The command after which these meters have rows of both under the same conditions.

    None for a control, which a study alone measures.
    """
    if any(name.startswith("control") for name in (a, b)):
        return None
    command = " ".join([f"htpbench run {a} {b}", *(f"--meter {name}" for name in needed)])
    if any(map(timed, needed)):
        command += f" --processes {FEWEST_PROCESSES}"
    if parse(a).pipeline() != parse(b).pipeline():
        command += " --pipeline seq2frame"  # the one that serves any combination
    if any(catalogue.meter(name).weights for name in needed if name in catalogue.meters()):
        used = {str(row.conditions["weights"]) for row in rows if "weights" in row.conditions}
        shipped = (data_folder() / "baselines" / "weights").glob("*.safetensors")
        known = sorted(used & {path.stem for path in shipped})
        one_backbone = a.partition("+")[0] == b.partition("+")[0]
        command += f" --weights {known[0] if known and one_backbone else 'WEIGHTS'}"
    return command

"""The cascade: what cannot be on a search's front any more is not measured further.

Meters run cheapest first (cost, time, accuracy). Before each, and after each batch of poses, a
combination is given up

* where a constraint is violated: by a measured value or, for MPJPE, already by its lower bound;
* where another combination dominates it: is at least as good in every objective and better in one.

Why no member of the front is lost: the other one was measured in this study under the same
conditions, keeps every constraint, and stays in the rows, so that whatever it dominates is off the
front for good (`htpbench.records.front`). An objective that is not known yet forbids to judge, with
one exception: errors are not negative, so the sum of the errors so far, divided by the number of
all frames to score, is no more than the MPJPE that comes out in the end. It is compared strictly,
less a millionth for rounding, so that a tie is never given up; once all frames are predicted the
value is a row whatever it is. Time is noisy: it counts with the ends of the intervals that speak
against giving up, the good one of the combination and the bad one of the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch

from htpbench import metrics
from htpbench.errors import Pruned
from htpbench.measuring.evaluation import Evaluation
from htpbench.records.front import dominates, keeps, less_is_better
from htpbench.records.pairing import SYSTEM
from htpbench.records.rows import Row
from htpbench.systems import catalogue
from htpbench.systems.combination import Combination

if TYPE_CHECKING:
    from htpbench.bench.runner import Runner

MPJPE = "accuracy.mpjpe"
ROUNDING = 1e-6  # relative: sums in another order, float32 errors


def ends(row: Row) -> tuple[float, float]:
    """The good and the bad end of an ok row, where less is better.

    Only what a clock measured has ends apart: another run would not give the same number. Without
    an interval, as of one process, it may be anything.
    """
    noisy = catalogue.exclusive(row.metric) and not catalogue.metric(row.metric).exact
    if noisy and row.low is None:
        return -math.inf, math.inf
    bounds = [row.value, row.low, row.high] if noisy else [row.value]
    signed = [less_is_better(row.metric, end) for end in bounds if end is not None]  # type: ignore
    return min(signed), max(signed)


class Cascade:
    """What a study's measured combinations rule out; `names` are those that may be on its front."""

    def __init__(self, runner: Runner, names: Callable[[], Iterable[Combination]]) -> None:
        self.runner, self.names = runner, names
        self.objectives = runner.study.objectives
        self.constraints = runner.study.constraints()
        self.meters = sorted({metric.partition(".")[0] for metric in self.needed})
        self.met: set[Combination] = set()
        self.waiting: dict[Combination, tuple[str, dict[str, str]]] = {}  # group, metric -> key
        self.rivals: dict[str, dict[Combination, list[float]]] = {}  # group -> bad ends

    @property
    def needed(self) -> set[str]:
        """The metrics that decide."""
        return {*self.objectives, *(one.metric for one in self.constraints)}

    def judge(self, combination: Combination) -> Judge | None:
        """Who says when to give a combination up; None for what the study lists by name."""
        search = self.runner.study.search
        if search is None or not search.cascade or combination in self.runner.study.parsed():
            return None
        return Judge(self, combination)

    def group(self, combination: Combination) -> str:
        """What two combinations must share to be compared: their conditions in all that decides."""
        conditions = {
            meter: {
                name: value
                for name, value in self.runner.conditions(combination, meter).items()
                if name not in SYSTEM
            }
            for meter in self.meters
        }
        return json.dumps(conditions, sort_keys=True)

    def keys(self, combination: Combination) -> dict[str, str]:
        """The keys of the metrics that decide."""
        found: dict[str, str] = {}
        for meter in self.meters:
            found |= self.runner.keys(combination, meter)
        return {metric: key for metric, key in found.items() if metric in self.needed}

    def learn(self) -> None:
        """Take in what was measured since, by this worker or another."""
        for name in self.names():
            if name not in self.met:
                self.met.add(name)
                self.waiting[name] = self.group(name), self.keys(name)
        held = self.runner.held
        for name, (group, keys) in list(self.waiting.items()):
            rows = {metric: held[key] for metric, key in keys.items() if key in held}
            if all(metric in rows and rows[metric].status == "ok" for metric in self.needed):
                del self.waiting[name]
                self.rivals.setdefault(group, {})
                if keeps({metric: row.value for metric, row in rows.items()}, self.constraints):  # type: ignore
                    bad = [ends(rows[metric])[1] for metric in self.objectives]
                    self.rivals[group][name] = bad

    def violation(self, rows: Mapping[str, Row], least: float | None = None) -> str | None:
        """The constraint that measured values, or an MPJPE of at least `least`, violate."""
        for one in self.constraints:
            row = rows.get(one.metric)
            if row is not None and row.status == "ok" and one.excess(row.value) > 0:  # type: ignore
                return f"{one.metric} is {row.value:.6g}; the study asks for {one}"
            bounded = least is not None and (one.metric, one.sign) == (MPJPE, "<=")
            if bounded and one.excess(least) > 0:  # type: ignore[arg-type]
                return f"{one.metric} is at least {least:.6g}; the study asks for {one}"
        return None

    def dominator(
        self, combination: Combination, rows: Mapping[str, Row], least: float | None = None
    ) -> Combination | None:
        """A measured combination that dominates one with these rows and an MPJPE of `least`."""
        good = []
        for metric in self.objectives:
            row = rows.get(metric)
            if row is not None and row.status == "ok":
                good.append(ends(row)[0])
            elif metric == MPJPE and least is not None:
                good.append(least)
            else:
                return None
        for rival, bad in self.rivals.get(self.group(combination), {}).items():
            if dominates(bad, good):
                return rival
        return None


class Judge:
    """Says of one combination, while it is measured, why it need not be measured any further."""

    def __init__(self, cascade: Cascade, combination: Combination) -> None:
        self.cascade, self.combination = cascade, combination
        self.rows: Mapping[str, Row] = {}
        self.total = 0.0  # mm, errors so far
        self.seen: np.ndarray | None = None  # (N,) bool, rows of the views that are counted

    def __call__(self, rows: Mapping[str, Row], meter: str) -> str | None:
        """The reason not to ask a meter, given the rows so far; None to go on.

        A bound that an earlier sweep found stands in the row that it pruned.
        """
        self.rows, self.total, self.seen = dict(rows), 0.0, None
        self.cascade.learn()
        key = self.cascade.keys(self.combination).get(MPJPE, "")
        row = self.cascade.runner.held.get(key)
        return self.reason(row.low if row is not None and row.status == "pruned" else None)

    def reason(self, least: float | None = None) -> str | None:
        """A violated constraint or the combination that dominates."""
        violated = self.cascade.violation(self.rows, least)
        if violated:
            return violated
        rival = self.cascade.dominator(self.combination, self.rows, least)
        if rival is None:
            return None
        bound = "" if least is None else f"MPJPE is at least {least:.6g} mm; "
        return f"{bound}dominated by {rival}"

    def watch(self, evaluation: Evaluation, rows: np.ndarray, poses: np.ndarray) -> None:
        """Poses (n, J, 3) of rows (n,) of the views came out; raises Pruned where they suffice."""
        if self.seen is None:
            self.seen = np.zeros(len(evaluation.views.truth), dtype=bool)
        rows, first = np.unique(rows, return_index=True)
        new = ~self.seen[rows]  # a frame counts once, as it does in the end
        self.seen[rows] = True
        targets = torch.from_numpy(evaluation.views.truth[rows[new]])
        errors = metrics.mpjpe(torch.from_numpy(poses[first[new]]), targets)  # (n,) mm
        self.total += float(errors.double().sum())
        done = int(self.seen.sum())
        if done == len(evaluation.rows):
            return  # the value itself is paid for
        least = self.total / len(evaluation.rows) * (1 - ROUNDING)
        reason = self.reason(least)
        if reason:
            raise Pruned(f"after {done} of {len(evaluation.rows)} frames {reason}", MPJPE, least)

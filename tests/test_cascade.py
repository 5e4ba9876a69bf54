"""The cascade: what it gives up, why, and that no member of a front is ever lost."""

import math
import random
from types import SimpleNamespace

import numpy as np
import pytest
import small

from htpbench.errors import Pruned
from htpbench.measuring import counting, prediction
from htpbench.records.rows import Row, Store
from htpbench.search import cascade
from htpbench.search.cascade import Cascade, ends
from htpbench.search.sweep import sweep
from htpbench.study.loading import load
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.combination import parse

FRAMES, BATCHES = 60, 6
METRICS = {
    "cost": ["cost.flops"],
    "time": ["time.forward", "time.speedup"],
    "accuracy": ["accuracy.mpjpe", "accuracy.p_mpjpe"],
}
CANDIDATES = [parse(f"mixste.tiny-9+tps:{r}@{b}+tri") for r in range(1, 9) for b in range(4)]


def row(name, metric, value, **more):
    return Row(
        key=f"{name} {metric}",
        study="s",
        combination=str(name),
        metric=metric,
        value=value,
        unit="1",
        environment="e",
        **more,
    )


class Drawn:
    """A bench whose numbers are drawn: few levels, so that ties are common, and noisy times."""

    def __init__(self, objectives, constraints, seed, cascaded):
        rng = np.random.default_rng(seed)
        self.study = Study(
            name="s",
            title="t",
            meters=["cost", "time", "accuracy"],
            weights="random",
            objectives=objectives,
            search={
                "backbone": "mixste.tiny-9",
                "pruners": ["tps"],
                "recoverers": ["tri"],
                "sampler": "brute",
                "constraints": constraints,
                "cascade": cascaded,
            },
        )
        self.evaluation = SimpleNamespace(
            rows=np.arange(FRAMES), views=SimpleNamespace(truth=np.zeros((FRAMES, 17, 3), "f4"))
        )
        self.held, self.true, self.errors = {}, {}, {}
        for name in CANDIDATES:
            errors = rng.integers(1, 6) * rng.choice([1.0, 2.0], FRAMES).astype("f4")
            time, wide = float(rng.integers(1, 6)), 0.8 * rng.random(2)
            speedup = 12 / time
            self.errors[name] = errors
            self.true[name] = {
                "cost.flops": row(name, "cost.flops", float(rng.integers(1, 6))),
                "time.forward": row(
                    name, "time.forward", time, low=time - wide[0], high=time + wide[1]
                ),
                "time.speedup": row(
                    name, "time.speedup", speedup, low=speedup - wide[0], high=speedup + wide[1]
                ),
                "accuracy.mpjpe": row(
                    name, "accuracy.mpjpe", float(errors.mean(dtype=np.float64)), low=0.0, high=99.0
                ),
                "accuracy.p_mpjpe": row(name, "accuracy.p_mpjpe", float(rng.integers(1, 6))),
            }

    def conditions(self, combination, meter):
        return {"meter": meter}

    def keys(self, combination, meter):
        return {metric: f"{combination} {metric}" for metric in METRICS[meter]}

    def measure(self, name, judge):
        """What Runner.measure does, with drawn numbers; returns how it was given up, or None."""
        rows = {}
        for meter, metrics in METRICS.items():
            if judge and judge(rows, meter):
                return f"before {meter}"
            if meter == "accuracy" and judge:
                poses = np.zeros((FRAMES, 17, 3), "f4")
                poses[..., 0] = self.errors[name][:, None]
                for batch in np.array_split(np.arange(FRAMES), BATCHES):
                    try:
                        judge.watch(self.evaluation, batch, poses[batch])
                    except Pruned as stop:
                        assert stop.least <= self.true[name]["accuracy.mpjpe"].value
                        return "in accuracy"
            rows |= {metric: self.true[name][metric] for metric in metrics}
            self.held |= {rows[metric].key: rows[metric] for metric in metrics}
        return None

    def front(self, measured):
        """Those measured that keep the constraints and that nothing measured dominates."""
        allowed = [name for name in measured if self.allowed(name)]
        values = {
            name: [
                self.true[name][m].value * (-1 if catalogue.metric(m).better == "more" else 1)
                for m in self.study.objectives
            ]
            for name in allowed
        }
        return {
            name
            for name in allowed
            if not any(
                values[other] != values[name]
                and all(a <= b for a, b in zip(values[other], values[name], strict=True))
                for other in allowed
            )
        }

    def allowed(self, name):
        def keeps(text):
            metric, sign, limit = text.split()
            value = self.true[name][metric].value
            return value <= float(limit) if sign == "<=" else value >= float(limit)

        return all(map(keeps, self.study.search.constraints))


def searched(objectives, constraints, seed, cascaded):
    bench = Drawn(objectives, constraints, seed, cascaded)
    judges = Cascade(bench, lambda: CANDIDATES)
    order = random.Random(seed).sample(CANDIDATES, len(CANDIDATES))
    given_up = {name: bench.measure(name, judges.judge(name)) for name in order}
    kept = [name for name, why in given_up.items() if why is None]
    return bench.front(kept), [why for why in given_up.values() if why]


CASES = [
    (["cost.flops", "accuracy.mpjpe"], [], {"in accuracy"}),
    (["time.forward", "accuracy.mpjpe"], [], {"in accuracy"}),
    (["time.speedup", "accuracy.mpjpe"], ["cost.flops <= 4"], {"before time", "in accuracy"}),
    (["cost.flops", "time.forward", "accuracy.mpjpe"], [], {"in accuracy"}),
    (["cost.flops", "time.speedup"], [], {"before accuracy"}),
    (["cost.flops", "accuracy.p_mpjpe"], ["time.speedup >= 3"], {"before accuracy"}),
    (["cost.flops", "accuracy.mpjpe"], ["accuracy.mpjpe <= 5"], {"in accuracy"}),
    (["accuracy.mpjpe"], ["accuracy.p_mpjpe >= 2"], {"in accuracy"}),
    (["cost.flops", "accuracy.p_mpjpe"], [], set()),
]


@pytest.mark.parametrize(("objectives", "constraints", "places"), CASES)
def test_no_member_of_a_front_is_lost_and_something_is_spared(objectives, constraints, places):
    seen = set()
    for seed in range(12):
        whole, nothing = searched(objectives, constraints, seed, cascaded=False)
        front, given_up = searched(objectives, constraints, seed, cascaded=True)
        assert front == whole and nothing == []
        seen |= set(given_up)
    assert seen == places


def test_times_count_with_the_ends_of_their_intervals_and_errors_with_their_values():
    assert ends(row("a", "time.forward", 2.0, low=1.5, high=2.5)) == (1.5, 2.5)
    assert ends(row("a", "time.speedup", 2.0, low=1.5, high=2.5)) == (-2.5, -1.5)
    assert ends(row("a", "time.first", 2.0)) == (-math.inf, math.inf)
    assert ends(row("a", "sampling.speedup", 2.0, low=1.0, high=3.0)) == (-3.0, -1.0)
    assert ends(row("a", "sampling.forward", 2.0, low=2.5, high=3.0)) == (2.0, 3.0)
    assert ends(row("a", "sampling.flops", 2.0)) == (2.0, 2.0)
    assert ends(row("a", "accuracy.mpjpe", 2.0, low=1.5, high=2.5)) == (2.0, 2.0)


def test_other_conditions_do_not_judge():
    bench = Drawn(["cost.flops"], [], 0, cascaded=True)
    judges = Cascade(bench, lambda: CANDIDATES)
    for name in CANDIDATES:
        bench.measure(name, None)
    judges.learn()
    worst = max(CANDIDATES, key=lambda name: bench.true[name]["cost.flops"].value)
    assert judges.dominator(worst, bench.true[worst])
    bench.conditions = lambda combination, meter: {"fingerprint": "another"}
    assert judges.dominator(worst, bench.true[worst]) is None


SPACE = """
[search]
backbone = "mixste.tiny-9"
pruners = ["tps"]
recoverers = ["tri", "tra"]
sampler = "brute"
stages = 2
r = [5, 1]
b = [0, 2]
constraints = ["cost.flops <= {limit}"]
cascade = {on}
"""


def real(folder, on, limit=1e9):
    """A sweep of a small space; rows by combination and metric, and the bench's rows on disk."""
    folder.mkdir(exist_ok=True)
    text = SPACE.format(on=str(on).lower(), limit=limit)
    path = small.study(folder, text, meters=["cost", "accuracy"], combinations=[small.NETWORK])
    study = load(str(path))
    evaluation = study.evaluation.model_copy(update={"windows": None, "stride": 3})
    study = study.model_copy(update={"evaluation": evaluation})
    rows = sweep(small.runner(study, folder / "results"))
    return {(one.combination, one.metric): one for one in rows if "control" not in one.combination}


def front_of(found, objectives=("cost.flops", "accuracy.mpjpe")):
    points = {
        name: [found[name, metric].value for metric in objectives]
        for name, _ in found
        if all(found[name, metric].status == "ok" for metric in objectives)
    }
    return {
        name
        for name, mine in points.items()
        if not any(p != mine and p[0] <= mine[0] and p[1] <= mine[1] for p in points.values())
    }


@pytest.mark.slow
def test_a_real_space_has_the_same_front_and_a_second_sweep_predicts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr("htpbench.measuring.prediction.BATCH", 1)
    monkeypatch.setattr(counting, "measure", small.quick_cost)
    whole, spared = real(tmp_path / "whole", on=False), real(tmp_path / "cascade", on=True)
    assert front_of(spared) == front_of(whole)
    given_up = {
        name
        for (name, metric), one in spared.items()
        if metric == "accuracy.mpjpe" and one.status == "pruned"
    }
    assert given_up and all(one.status == "ok" for one in whole.values())
    for name in given_up:
        one = spared[name, "accuracy.mpjpe"]
        assert one.value is None and 0 < one.low <= whole[name, "accuracy.mpjpe"].value
        assert "MPJPE is at least" in one.reason and "dominated by mixste.tiny-9" in one.reason
        assert spared[name, "accuracy.auc"].status == "pruned"

    before = len(Store(tmp_path / "cascade" / "results").read())
    monkeypatch.setattr(prediction, "predict", lambda *arguments: 1 / 0)
    assert real(tmp_path / "cascade", on=True) == spared
    assert len(Store(tmp_path / "cascade" / "results").read()) == before


def test_a_constraint_on_cost_spares_the_accuracy_but_not_of_what_is_listed(tmp_path, monkeypatch):
    asked = []
    predicted = prediction.predict

    def predict(lifter, *arguments, **settings):
        asked.append(lifter.schedule)
        return predicted(lifter, *arguments, **settings)

    monkeypatch.setattr(prediction, "predict", predict)
    monkeypatch.setattr(counting, "measure", small.quick_cost)
    found = real(tmp_path, on=True, limit=24)
    flops = {name: one.value for (name, metric), one in found.items() if metric == "cost.flops"}
    over = {name for name, value in flops.items() if value > 24}
    assert small.NETWORK in over and 1 < len(over) < len(flops)
    for name in over - {small.NETWORK}:
        one = found[name, "accuracy.mpjpe"]
        assert (one.status, one.low) == ("pruned", None)
        assert "the study asks for cost.flops <= 24" in one.reason
        assert parse(name).schedule not in asked
    assert found[small.NETWORK, "accuracy.mpjpe"].status == "ok"


def test_a_noisy_speed_up_of_a_whole_prediction_gives_nothing_up():
    bench = Drawn(["cost.flops"], [], 0, cascaded=True)
    judges = Cascade(bench, lambda: [])
    judges.objectives = ["sampling.speedup"]
    slow, fast = CANDIDATES[:2]
    measured = row(slow, "sampling.speedup", 2.0, low=1.8, high=2.3)
    for bad, expected in ((-2.2, None), (-2.4, fast)):
        judges.rivals = {judges.group(slow): {fast: [bad]}}
        assert judges.dominator(slow, {"sampling.speedup": measured}) == expected


def test_once_all_frames_are_there_the_value_is_kept():
    bench = Drawn(["accuracy.mpjpe"], ["accuracy.mpjpe <= 5"], 0, cascaded=True)
    judge = Cascade(bench, lambda: []).judge(CANDIDATES[0])
    assert judge({}, "accuracy") is None
    poses = np.zeros((FRAMES, 17, 3), "f4")
    judge.watch(bench.evaluation, np.arange(FRAMES - 1), poses[1:])  # without any error
    poses[..., 0] = 1000.0
    judge.watch(bench.evaluation, np.arange(FRAMES - 2, FRAMES), poses[:2])  # 17 mm, all paid for
    found = {"accuracy.mpjpe": row(CANDIDATES[0], "accuracy.mpjpe", 17.0)}
    assert "the study asks for accuracy.mpjpe <= 5" in judge(found, "selection")


def test_a_frame_that_comes_twice_counts_once():
    bench = Drawn(["accuracy.mpjpe"], ["accuracy.mpjpe <= 5"], 0, cascaded=True)
    judge = Cascade(bench, lambda: []).judge(CANDIDATES[0])
    assert judge({}, "accuracy") is None
    poses = np.zeros((10, 17, 3), "f4")
    poses[..., 0] = 29.0
    for _ in range(3):  # 10 of 60 frames, each 29 mm: at least 4.8 mm
        judge.watch(bench.evaluation, np.arange(10), poses)
    with pytest.raises(Pruned, match=r"after 11 of 60 frames accuracy.mpjpe is at least 5\.3"):
        judge.watch(bench.evaluation, np.arange(1, 11), poses)
    assert cascade.ROUNDING < 1e-5

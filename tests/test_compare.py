"""Verdicts from rows: what intervals decide, what is refused and with which remedy."""

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import small
from paths import ROOT
from small import call

from htpbench.errors import BenchError
from htpbench.measuring import scoring
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import Prediction
from htpbench.records.rows import Row
from htpbench.records.verdicts import compare
from htpbench.study.loading import load
from htpbench.systems import catalogue

CARD = {"data": "a", "detections": "cpn", "flip": True, "windows": "2 of 2", "stride": 81}
FIRST = [50.0, 150.0], [10.0, 30.0]
MPJPE = "accuracy.mpjpe_by_clip"


def rows(name, values, frames, **conditions):
    axis = [f"clip {index}" for index in range(len(frames))]
    told = {"axis": axis, "conditions": {**CARD, **conditions}, "key": name, "environment": "e"}
    metrics = {
        "mpjpe_by_clip": ("mm", values),
        "frames_by_clip": ("1", frames),
        "subjects_by_clip": ("1", [*range(len(frames))]),
        "frames_by_subject": ("1", frames),
    }
    return {
        f"accuracy.{metric}": Row(
            study="s", combination=name, metric=f"accuracy.{metric}", value=value, unit=unit, **told
        )
        for metric, (unit, value) in metrics.items()
    }


A, B = "mixste.tiny-81", "mixste.tiny-81+tps:9@1+tri"
FROZEN = ROOT / "tests" / "frozen" / "results"
CLOCK = {"pipeline": "seq2seq", "reference": A, "batch": 1}


def one(name, metric, value, half=None, at="2026-01-01T00:00:00Z", conditions=None, **more):
    bounds = {} if half is None else {"low": value - half, "high": value + half, "samples": 9}
    told = {"pipeline": "seq2seq"} if conditions is None else conditions
    return Row(
        key=f"{name}{metric}{told}",
        study="s",
        combination=name,
        metric=metric,
        value=value,
        unit="1",
        conditions=told,
        environment="e",
        at=at,
        **bounds,
        **more,
    )


def verdict(metric, a, b):
    """What is said of b = (value, half an interval) against a."""
    pair = [one(A, metric, *a, conditions=CLOCK), one(B, metric, *b, conditions=CLOCK)]
    (found,), refused = compare(A, B, pair, [metric])
    assert refused == []
    return found.verdict


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([0.90, 0.91, 0.90, 0.91, 0.90], "better"),
        ([1.10, 1.11, 1.10, 1.11, 1.10], "worse"),
        ([1.001, 1.002, 1.001, 1.002, 1.001], "same"),
        ([0.90, 1.05, 0.90, 1.05, 0.90], "unsure"),  # reaches over the floor on both sides
        ([0.993, 0.996, 0.993, 0.996, 0.993], "unsure"),  # above zero, not above the floor
    ],
)
@pytest.mark.parametrize("metric", ["time.speedup", "time.forward", "time.clips_per_second"])
def test_the_interval_decides_against_a_floor_of_half_a_percent(metric, times, said):
    """In one session the processes are paired, whatever the reference did."""
    base = (1.0, 1.3, 0.8, 1.2, 1.0)
    mine = [one * level for one, level in zip(times, base, strict=True)]
    held = [*small.timed(A, base, base), *small.timed(B, mine, base)]
    (found,), refused = compare(A, B, held, [metric])
    assert (found.verdict, refused) == (said, [])
    assert found.how == "paired by process, over 5"


@pytest.mark.parametrize(
    ("b", "said"), [(1004, "same"), (1006, "worse"), (994, "better"), (1005, "same")]
)
def test_costs_are_exact_and_less_is_better(b, said):
    assert verdict("cost.flops", (1000,), (b,)) == said


def test_what_has_no_interval_is_unsure():
    held = [*small.timed(A, [1.0] * 5), *small.timed(B, [2.0] * 5)]
    (found,), _ = compare(A, B, held, ["time.first"])
    assert (found.verdict, found.how) == ("unsure", "no interval")


def test_a_faster_machine_is_no_faster_network():
    """Between sessions it is the reference that says what a machine did."""
    spread = (0.99, 1.0, 1.01, 1.0, 1.0)
    slow = small.timed(A, spread, (1.0,) * 5)
    fast = small.timed(B, [0.5 * one for one in spread], (0.5,) * 5)
    for metric in ("time.forward", "time.speedup"):
        (found,), _ = compare(A, B, [*slow, *fast], [metric])
        assert found.verdict == "unsure" and "two sessions" in found.how
        assert found.low < 0 < found.high
    twice = small.timed(B, [0.25 * one for one in spread], (0.5,) * 5)
    (found,), _ = compare(A, B, [*slow, *twice], ["time.speedup"])
    assert found.verdict == "better" and found.difference == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"probe": [0.5]}, "it got 50 % of the CPU that it could use"),
        ({"overhead": [0.2]}, "marking the parts changed the time by +20 %"),
    ],
)
def test_times_of_a_busy_machine_are_refused_with_the_cure(told, why):
    quiet, busy = small.timed(A, [1.0] * 5), small.timed(B, [2.0] * 5, **told)
    found, refused = compare(A, B, [*quiet, *busy], ["time.speedup"])
    assert found == [] and f"the times of B are not to be trusted ({why})" in refused[0]
    assert refused[-1].startswith("close what runs beside it, or add --wait-quiet 30")
    assert "--processes 5 --retry`" in refused[-1]


def test_a_drift_spoils_times_and_not_what_is_paired():
    drifting = (1.0, 1.0, 1.0, 1.3, 1.3)
    mine = [0.5 * one for one in drifting]
    held = [*small.timed(A, drifting, drifting), *small.timed(B, mine, drifting)]
    (found,), refused = compare(A, B, held, ["time.speedup", "time.forward"])
    assert (found.metric, found.verdict) == ("time.speedup", "better")
    assert "the reference drifted by +30 %" in refused[0]


def test_too_few_processes_give_no_verdict():
    held = [*small.timed(A, [1.0] * 3, (1.0,) * 3), *small.timed(B, [2.0] * 3, (1.0,) * 3)]
    (found,), _ = compare(A, B, held, ["time.forward"])
    assert (found.verdict, found.why) == ("unsure", "3 processes, 5 are needed")
    alone = [*small.timed(A, [1.0], (1.0,)), *small.timed(B, [2.0], (1.0,))]
    (found,), _ = compare(A, B, alone, ["time.forward"])
    assert (found.verdict, found.low) == ("unsure", None)


FRAMES = [10.0, 30.0, 10.0, 10.0, 20.0]


def scored(name, by_clip, **conditions):
    """Accuracy rows of five subjects, the last three like the first."""
    by_clip = [*by_clip, by_clip[0], by_clip[0], by_clip[0]]
    pair = rows(name, by_clip, FRAMES, **conditions)
    told = pair["accuracy.mpjpe_by_clip"].conditions
    mean = float(np.average(by_clip, weights=FRAMES))
    found = [*pair.values(), one(name, "accuracy.mpjpe", mean, 50.0, conditions=told)]
    return [replace(row, key=f"{name}{row.metric}{told}") for row in found]


def test_clips_are_paired():
    held = [*scored(A, [50.0, 150.0]), *scored(B, [52.0, 152.0])]
    (found,), refused = compare(A, B, held)  # all that can be judged is the MPJPE
    assert (found.metric, found.verdict, refused) == ("accuracy.mpjpe", "worse", [])
    assert (found.difference, found.low, found.high) == pytest.approx((2, 2, 2))


def test_what_a_meter_tells_by_clip_is_judged_by_clip():
    """Clips lie far apart; what is compared differs by a tenth on each."""
    evaluation = prepare(small.motion(), 9, "seq2seq")
    truth, rows = evaluation.views.poses3d, evaluation.rows
    noise = np.random.default_rng(0).normal(size=truth.shape).astype("float32")
    noise[:22] *= 3.0  # the first clip
    held = [
        Row(
            key=f"{name}{found.metric}",
            study="s",
            combination=name,
            metric=found.metric,
            value=found.value,
            unit=catalogue.metric(found.metric).unit,
            low=found.low,
            high=found.high,
            axis=found.axis,
            conditions=CARD,
            environment="e",
        )
        for name, scale in ((A, 30.0), (B, 33.0))
        for found in scoring.measure(Prediction(rows, truth + scale * noise), evaluation)
    ]
    found = {one.metric: one for one in compare(A, B, held)[0]}
    single = {one for one in small.metrics("accuracy") if catalogue.metric(one).kind == "number"}
    assert found.keys() == single and all(
        one.how[:14] == "paired by clip" for one in found.values()
    )
    for one in found.values():
        assert one.difference == pytest.approx(one.b - one.a, rel=1e-4, abs=1e-6)
        assert one.verdict == "unsure" and "5 are needed" in one.why
    old = [row for row in held if row.metric in {*single, MPJPE, "accuracy.frames_by_clip"}]
    was = {one.metric: one for one in compare(A, B, old)[0]}
    assert [m for m, one in was.items() if "paired by" in one.how] == ["accuracy.mpjpe"]
    assert was["accuracy.mpjpe"].why == "whose clips they are is not known"
    assert was["accuracy.p_mpjpe"].verdict == "unsure"


def test_the_newest_alike_pair_counts_and_the_same_weights_come_first():
    old = [*scored(A, [50.0, 150.0]), *scored(B, [50.0, 150.0])]
    gt = [replace(row, at="2026-01-02T00:00:00Z") for row in scored(B, [9.0, 9.0], detections="gt")]
    (found,), _ = compare(A, B, [*old, *gt])
    assert found.verdict == "same" and found.conditions["detections"] == "cpn"
    newer = [replace(row, at="2026-01-03T00:00:00Z") for row in scored(A, [9.0, 9.0], flip=False)]
    newer += scored(B, [8.0, 8.0], flip=False)
    (found,), _ = compare(A, B, [*old, *gt, *newer])
    assert found.b == 8.0  # its pair has the newest row, and none is older than the others'
    others = [
        replace(row, at="2026-01-04T00:00:00Z") for row in scored(B, [40.0, 140.0], weights="w")
    ]
    (found,), _ = compare(A, B, [*old, *others])
    assert found.b == 87.5
    (found,), _ = compare(A, B, [*scored(A, [50.0, 150.0]), *others])
    assert found.differing["weights"] == (None, "w") and found.verdict == "better"


def test_unlike_conditions_are_refused_by_field_with_the_remedy():
    held = [
        *scored(A, [50.0, 150.0]),
        *scored(B, [50.0, 150.0], detections="gt", flip=False),
        one(A, "cost.flops", 5.0),
        one(B, "cost.flops", 4.0),
    ]
    found, (refused, remedy) = compare(A, B, held)
    assert [each.metric for each in found] == ["cost.flops"]
    assert refused.startswith("accuracy.mpjpe: the conditions differ: detections is 'cpn' for A, ")
    assert "flip is True for A, False for B" in refused
    assert f"`htpbench run {A} {B} --meter accuracy --weights WEIGHTS`" in remedy
    assert compare(A, B, held, ["cost.flops"])[1] == []


def test_missing_rows_are_refused_with_the_reason_and_the_remedy():
    held = [one(A, "cost.flops", 5.0), one(A, "cost.params", 5.0), one(A, "selection.f", 1.0, 0.1)]
    found, refused = compare(A, B, held)
    assert found == [] and refused[0] == f"cost.flops and 1 more: not measured for {B}"
    failed = one(B, "cost.flops", 1.0, status="failed", reason="no memory")
    _, refused = compare(A, B, [*held, failed], ["cost.flops"])
    assert refused == [
        f"cost.flops: failed for {B} (no memory)",
        f"measure both alike with `htpbench run {A} {B} --meter cost`",
    ]
    _, refused = compare(A, B, [])
    assert refused[0].startswith(f"cost: no rows of {A} and {B}")
    assert compare(A, f"{A}+tps:9@1", [])[1][1].endswith("--meter cost --pipeline seq2frame`")
    _, refused = compare(A, B, held, ["time.forward"])
    assert refused[0].startswith(f"time.forward: not measured for {A}; not measured for {B}")


def test_the_remedy_is_the_study_s_sweep_where_that_measures_both(tmp_path):
    path = small.study(tmp_path, meters=["cost"], combinations=[A, B])
    study, held = load(str(path)), [one(A, "cost.flops", 5.0)]
    assert f"`htpbench sweep {path}`" in compare(A, B, held, (), study)[1][-1]
    assert "`htpbench run" in compare(A, f"{A}+tps:9@1", held, (), study)[1][-1]
    assert "--meter time" in compare(A, B, held, ["time.speedup"], study)[1][-1]


def test_wrong_names_are_refused():
    held = [one(A, "cost.flops", 5.0), one(B, "cost.flops", 5.0)]
    with pytest.raises(BenchError, match=r"did you mean cost\.flops"):
        compare(A, B, held, ["cost.flop"])
    with pytest.raises(BenchError, match="unknown metric 'mpjpe'"):
        compare(A, B, held, ["mpjpe"])
    with pytest.raises(BenchError, match="are both"):
        compare(A, A, held)


def test_the_verb_prints_what_it_compared_and_exits_2_for_the_rest(monkeypatch, capsys):
    assert call(monkeypatch, "compare", A, B, "--results", FROZEN) == 2
    said, refused = capsys.readouterr()
    assert "an older clock, which did not look" in " ".join(refused.split())
    assert "+0.70 [-0.07, +1.46]" in said and "over 4 subjects" in said and "+1.8 %" in said
    assert "unsure: 4 subjects, 5 are needed" in said
    assert "accuracy: synthetic (test subjects), cpn detections, weights mixste.tiny-81" in said
    control = "control: unpruned, every third frame"
    assert call(monkeypatch, "compare", control, B, "--results", FROZEN, "--format", "csv") == 0
    lines = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {line["metric"].partition(".")[0] for line in lines} == {"accuracy"}
    asked = "compare", A, B, "--results", FROZEN, "--metric", "accuracy.pck", "--study"
    assert call(monkeypatch, *asked, "demo", "--format", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "unsure" and found["conditions"]["windows"] == "150 of 172"
    unpruned = "mixste.tiny-27"
    assert call(monkeypatch, "compare", A, unpruned, "--results", FROZEN) == 2
    assert f"`htpbench run {A} {unpruned} --meter" in capsys.readouterr().err
    asked = "compare", B, "mixste.tiny-81+tpc:9@1+tra", "--results", FROZEN, "--format", "markdown"
    assert call(monkeypatch, *asked) == 2
    assert "| frame noise (px)" in capsys.readouterr().out


def test_comparing_needs_no_torch():
    arguments = ["htpbench", "compare", A, B, "--results", str(FROZEN)]
    arguments += ["--metric", "accuracy.mpjpe"]
    code = (
        f"import atexit, sys; sys.argv = {arguments}\n"
        "atexit.register(lambda: print('torch' in sys.modules))\n"
        "from htpbench import cli; cli.main()"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "False"

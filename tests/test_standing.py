"""One front under constraints: in tables, figures, Optuna and the cascade; one report a study."""

import json

import pytest
import small

from htpbench.measuring import prediction
from htpbench.records.results import Results
from htpbench.records.rows import Row, Store, Sweep
from htpbench.report.current import current
from htpbench.report.figures import pareto
from htpbench.report.standing import standing
from htpbench.report.tables import sweep_table
from htpbench.search.cascade import Cascade
from htpbench.search.sweep import Trials, sweep
from htpbench.study.loading import load
from htpbench.systems.combination import parse

SPACE = """
[search]
backbone = "mixste.tiny-9"
pruners = ["tps"]
recoverers = ["tri"]
stages = 1
r = [5, 3, 1]
b = [0, 2]
cascade = {cascade}
constraints = {constraints}
{sampler}
"""
BRUTE, TPE = 'sampler = "brute"', "trials = 12"


def searching(folder, constraints, sampler=BRUTE, cascade="true", **more):
    text = SPACE.format(constraints=json.dumps(constraints), sampler=sampler, cascade=cascade)
    more = {"combinations": [], "meters": ["cost", "accuracy"], **more}
    return small.study(folder, text, **more)


def measured(path, folder):
    """The study, the rows of its networks' sweep, and the bench."""
    study = load(str(path))
    bench = small.runner(study, folder / "results")
    rows = [one for one in sweep(bench) if not one.combination.startswith("control")]
    return study, rows, bench


@pytest.mark.parametrize("sampler", [BRUTE, TPE])
@pytest.mark.parametrize("cascade", ["true", "false"])
@pytest.mark.parametrize("limit", [1, 24, 1000])
def test_a_table_optuna_and_the_cascade_have_one_front(
    tmp_path, monkeypatch, sampler, cascade, limit
):
    small.quick(monkeypatch)
    path = searching(tmp_path, [f"cost.flops <= {limit}"], sampler, cascade)
    study, rows, bench = measured(path, tmp_path)
    found = standing(study, rows)
    flops = {one.combination: one.value for one in rows if one.metric == "cost.flops"}
    assert found.allowed >= found.best
    assert {name for name in flops if flops[name] <= limit} == found.allowed & flops.keys()
    trials = Trials(bench, None, 0).all
    assert {one.user_attrs["combination"] for one in trials.best_trials} == found.best
    judges = Cascade(bench, lambda: map(parse, flops))
    judges.learn()
    rivals = {str(name) for group in judges.rivals.values() for name in group}
    assert found.best <= rivals <= found.allowed
    assert bool(found.best) == (limit > 1)
    over = sum(value > limit for value in flops.values())
    told = f"{over} of {len(flops)} violate cost.flops <= {limit}"
    assert [text for text in found.remarks if not text.startswith("*")] == [told] * bool(over)


def test_a_network_whose_constraint_is_not_known_is_on_no_front(tmp_path, monkeypatch):
    small.quick(monkeypatch)
    path = searching(tmp_path, ["accuracy.mpjpe <= 1e9"])
    path.write_text(path.read_text().replace("'accuracy.mpjpe'", "'cost.params'"))
    monkeypatch.setattr(prediction, "predict", lambda *_, **__: 1 / 0)
    study, rows, bench = measured(path, tmp_path)
    found = standing(study, rows)
    assert found.best == found.allowed == frozenset()
    assert found.remarks == ["6 of 6 have no value for accuracy.mpjpe <= 1e+09"]
    assert Trials(bench, None, 0).all.best_trials == []


def test_violators_are_hollow_and_off_the_line_of_the_figure(tmp_path, monkeypatch):
    small.quick(monkeypatch)
    study, rows, _ = measured(searching(tmp_path, ["cost.flops >= 24"], cascade="false"), tmp_path)
    found, table = standing(study, rows), sweep_table(rows)
    drawn = []
    monkeypatch.setattr(pareto, "save", lambda draw, *_: drawn.append(draw()) or ())
    pareto.pareto(table, found.allowed, (), tmp_path, "f", "", "")
    axes = drawn[0].axes[0]
    line, *points = (
        one for one in axes.get_lines() if one.get_transform().contains_branch(axes.transData)
    )  # not the marks where the axis is broken
    assert len(line.get_xdata()) >= 1 and min(line.get_xdata()) >= 24 / 1e9
    hollow = [x for one in points if one.get_fillstyle() == "none" for x in one.get_xdata()]
    filled = [x for one in points if one.get_fillstyle() == "full" for x in one.get_xdata()]
    assert hollow and max(hollow) < 24 / 1e9 <= min(filled)
    assert any("violates" in text.get_text() for text in drawn[0].legends[0].get_texts())


def test_a_control_takes_nobody_off_the_front(tmp_path):
    path = small.study(tmp_path, meters=["accuracy"])
    text = path.read_text().replace("objectives = ['accuracy.p_mpjpe'", "objectives = ['x'")
    text = text.replace(
        text[text.index("objectives") :].splitlines()[0],
        'objectives = ["accuracy.mpjpe", "accuracy.pck"]',
    )
    path.write_text(text)
    study = load(str(path))
    rows = sweep(small.runner(study, tmp_path / "results"))
    errors = {one.combination: one.value for one in rows if one.metric == "accuracy.mpjpe"}
    assert min(errors, key=errors.get) == "control: mean pose"
    best = standing(study, rows).best
    assert best and not any(name.startswith("control") for name in best)


def test_an_error_that_was_paid_for_is_a_row_and_only_the_rest_is_given_up(tmp_path, monkeypatch):
    small.quick(monkeypatch)
    meters = ["cost", "accuracy", "selection"]
    path = searching(tmp_path, ["accuracy.mpjpe <= 1"], meters=meters)  # one batch: all frames
    _, rows, _ = measured(path, tmp_path)
    pruned = [one for one in rows if "+" in one.combination]
    assert {one.status for one in pruned if one.metric.startswith("accuracy.")} == {"ok"}
    rest = [one for one in pruned if one.metric.startswith("selection.")]
    assert rest and {one.status for one in rest} == {"pruned"}
    assert all("the study asks for accuracy.mpjpe <= 1" in one.reason for one in rest)


def test_what_is_left_to_predict_is_given_up(tmp_path, monkeypatch):
    small.quick(monkeypatch)
    monkeypatch.setattr("htpbench.measuring.prediction.BATCH", 1)
    _, rows, _ = measured(searching(tmp_path, ["accuracy.mpjpe <= 1"]), tmp_path)
    given_up = [one for one in rows if one.metric == "accuracy.mpjpe" and "+" in one.combination]
    assert {one.status for one in given_up} == {"pruned"} and all(one.low > 1 for one in given_up)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Calls a verb; returns what lies in the report's folder."""
    small.quick(monkeypatch)
    monkeypatch.chdir(tmp_path)

    def called(*arguments):
        assert small.call(monkeypatch, *arguments) == 0
        name = str(arguments[1]).removesuffix(".toml")
        return files(tmp_path / "reports" / "local" / name)

    return called


def test_sweep_and_report_of_a_table_of_the_paper_are_one_report(report):
    before = report("report", "table2")
    swept = report("sweep", "table2")
    assert report("report", "table2") == swept
    assert swept.keys() == before.keys() and b"parameters (M) printed" in swept["table2.md"]
    counted = b"htpbench cost --study table2"
    assert counted in before["table2.md"] and counted not in swept["table2.md"]


def test_a_sweep_of_older_rows_is_what_a_report_shows_afterwards(report, tmp_path):
    small.study(tmp_path, meters=["cost", "accuracy"])
    first = report("sweep", "small.toml")
    assert report("report", "small.toml") == first
    assert Store(tmp_path / "results").sweeps == {}, "rows alone say it"
    other = report("sweep", "small.toml", "--seed", 1)  # other random weights
    assert other["small.csv"] != first["small.csv"]
    assert report("report", "small.toml") == other
    again = report("sweep", "small.toml")  # all of it was measured before
    assert again == first and report("report", "small.toml") == first
    (file,) = (tmp_path / "results").rglob("*.jsonl")
    before = file.read_bytes()
    assert b'"kind": "sweep"' in before
    assert report("sweep", "small.toml") == first and file.read_bytes() == before


def test_a_sweep_in_another_pipeline_and_its_report_are_one(report, tmp_path):
    small.study(tmp_path, meters=["cost", "accuracy"])
    swept = report("sweep", "small.toml", "--pipeline", "seq2frame")
    assert report("report", "small.toml") == swept
    assert "small.md" in swept and "small-seq2frame.md" not in swept
    assert small.PRUNED.encode() in swept["small.csv"]
    assert report("sweep", "small.toml")["small.csv"] != swept["small.csv"]


def test_rows_that_another_study_measured_stand_in_both(report, tmp_path):
    small.study(tmp_path, meters=["cost", "accuracy"])
    report("sweep", "small.toml")
    small.study(tmp_path, name="other", meters=["cost", "accuracy"])
    swept = report("sweep", "other.toml")
    assert report("report", "other.toml") == swept
    assert b"control: unpruned, every third frame" in swept["other.md"]


def test_what_was_measured_since_the_last_sweep_counts(report, tmp_path):
    path = small.study(tmp_path, meters=["cost", "accuracy"])
    report("sweep", "small.toml")
    study, rows = load(str(path)), Store(tmp_path / "results").read()
    last = {"small": Sweep(study="small", keys=[one.key for one in rows])}
    newer = [type(one)(**{**vars(one), "key": f"new {one.key}", "at": "2999-01-01T00:00:00Z",
             "conditions": {**one.conditions, "detections": "gt"}})
             for one in rows if one.metric == "accuracy.mpjpe"]  # fmt: skip
    shown = current(study, Results([*rows, *newer], sweeps=last))
    assert {one.key for one in shown if one.metric == "accuracy.mpjpe"} == {o.key for o in newer}
    fewer = study.model_copy(update={"combinations": [small.NETWORK]})
    kept = current(fewer, Results(rows, sweeps=last))
    assert small.PRUNED not in {one.combination for one in kept}


def told(name, study, at, metric="sampling.flops", **conditions):
    conditions = {"pipeline": "seq2seq", **conditions}
    key = f"{name} {study} {conditions}"
    return Row(key=key, study=study, combination=name, metric=metric, value=1.0, unit="FLOP",
               environment="e", at=at, conditions=conditions)  # fmt: skip


def test_predictions_that_were_drawn_otherwise_do_not_stand_in_one_table(tmp_path):
    names = "d3dp.tiny-9", "d3dp.tiny-9+tps:5@1+tri"
    study = load(str(small.study(tmp_path, combinations=names, meters=["cost", "sampling"])))
    five, one = ({"hypotheses": count, "iterations": 1} for count in (5, 1))
    swept = [told(name, "small", "2026-01-01T00:00:00Z", sampling=five) for name in names]
    newer = told(names[0], "run", "2026-01-02T00:00:00Z", sampling=one)
    assert current(study, [*swept, newer]) == swept
    again = told(names[0], "small", "2026-01-03T00:00:00Z", sampling=one)
    assert current(study, [*swept, again]) == [again]


def test_a_table_refers_to_what_its_own_rows_do_and_to_nobody_elses():
    study = load("table8").model_copy(update={"meters": ["sampling"]})
    names = [str(one) for one in study.parsed()]
    five = {"sampling": {"hypotheses": 5, "iterations": 5}}
    own = [
        told(
            name,
            "table8",
            "2026-01-01T00:00:00Z",
            reference=name.partition("+")[0],
            **({"refined": {}} if "diffpose" in name else five),
        )
        for name in names
    ]
    other = told(names[2], "run", "2026-01-02T00:00:00Z", reference=names[3], refined={})
    assert current(study, [*own, other]) == own


@pytest.mark.parametrize(
    "line",
    [
        {"kind": "sweep"},
        {"kind": "sweep", "study": "s", "keys": "k"},
        {"kind": "sweep", "study": ["s"], "keys": []},
        {"kind": "sweep", "study": "s", "keys": [1], "at": "x"},
        {"kind": "sweep", "study": "s", "keys": [], "at": None},
        {"kind": "sweep", "study": "s", "keys": [], "more": 1},
    ],
)
def test_the_end_of_a_sweep_that_is_none_is_skipped_and_named(tmp_path, line):
    (tmp_path / "m.jsonl").write_text(json.dumps(line) + "\n")
    store = Store(tmp_path)
    assert store.read() == [] and store.sweeps == {}
    (problem,) = store.problems
    assert "m.jsonl:1" in problem

"""Meters and metrics: those that come with the package, and what third parties bring."""

import re
import subprocess
import sys
from contextlib import suppress

import pytest
import small
import torch
from paths import ROOT
from test_registry import distribution

from htpbench.bench.job import job
from htpbench.errors import BenchError
from htpbench.learning.recipes import Recipe
from htpbench.measuring import learning, timed, timing
from htpbench.measuring.context import Context
from htpbench.meters import Meter
from htpbench.network.build import build
from htpbench.records.conditions import beyond
from htpbench.records.measurement import Measurement
from htpbench.records.results import Results
from htpbench.study.loading import load
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.combination import parse
from htpbench.systems.metric import Metric
from htpbench.systems.registry import METERS, METRICS, digest, import_file
from htpbench.testing import MeterContract

ERRORS = "(poses - targets).norm(dim=-1).median(dim=-1).values"
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "meters.md").read_text(), re.DOTALL)
METRIC, METER, CONTRACT = BLOCKS  # what the documentation shows is what is tried
DECORATORS = ('@METERS.register("width")\n', '@METRICS.register("median")\n')


@pytest.fixture(autouse=True)
def clocks_warm_up_briefly(monkeypatch):
    monkeypatch.setattr(timed, "WARM_UP_S", 0.05)
    monkeypatch.setattr(timing, "FIRST_S", 0.0)


class TestCost(MeterContract):
    name = "cost"


class TestMemory(MeterContract):
    name = "memory"


class TestTime(MeterContract):
    name = "time"
    study = {"timing": {"rounds": 3, "round_s": 0.003, "processes": 2}}  # noqa: RUF012


class TestSampling(MeterContract):
    name = "sampling"
    study = TestTime.study | {"sampling": {"hypotheses": 1, "iterations": 1}}
    combinations = ["d3dp.tiny-9", "d3dp.tiny-9+tps:5@0+tri"]  # noqa: RUF012


class TestTraining(MeterContract):
    name = "training"
    study = TestTime.study


class TestTrainingMemory(MeterContract):
    name = "training_memory"


class TestAccuracy(MeterContract):
    name = "accuracy"


class TestSelection(MeterContract):
    name = "selection"


def test_every_meter_that_is_shipped_keeps_the_contract():
    tested = {cls.name for cls in MeterContract.__subclasses__() if cls.__module__ == __name__}
    assert set(METERS.shipped) <= tested


def faulty(**parts):
    """A registered meter that is right but for some parts."""
    metrics = (Metric(name="mine.one", exact=True),)
    found = {"measure": lambda *_: [Measurement("mine.one", 1.0)], "metrics": metrics, **parts}
    METERS.registered["mine"] = type("Mine", (Meter,), found)


class Mine(MeterContract):
    name = "mine"


FAULTS = {
    "another's name": {"metrics": (Metric(name="cost.one"),)},
    "a metric twice": {"metrics": (Metric(name="mine.one"),) * 2},
    "too little": {"measure": lambda *_: []},
    "too much": {"measure": lambda *_: [Measurement("mine.one", 1.0), Measurement("mine.2", 1.0)]},
    "a metric measured twice": {"measure": lambda *_: [Measurement("mine.one", 1.0)] * 2},
    "not finite": {"measure": lambda *_: [Measurement("mine.one", float("nan"))]},
    "a list": {"measure": lambda *_: [Measurement("mine.one", [1.0], axis=["a"])]},
    "never the same": {"measure": lambda *_: [Measurement("mine.one", torch.rand(1).item())]},
    "no JSON": {"conditions": lambda *_: {"a": (1, 2)}},
    "other conditions": {"conditions": lambda *_: {"a": torch.rand(1).item()}},
}


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_the_contract_finds_what_is_wrong(fault):
    faulty(**FAULTS.get(fault, {}))
    tests = [name for name in dir(Mine) if name.startswith("test_") and "loads" not in name]
    failed = []
    for name in tests:
        try:
            getattr(Mine(), name)()
        except (Exception, pytest.fail.Exception):
            failed.append(name)
    assert bool(failed) == (fault is not None), failed


def test_the_registry_reads_declarations_without_torch():
    code = (
        "import sys; from htpbench.systems import catalogue; catalogue.tabled();"
        "catalogue.metric('accuracy.mpjpe'); import htpbench.records.verdicts;"
        "print({'torch', 'pandas', 'optuna'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("way", ["import", "distribution"])
def test_a_meter_and_a_metric_of_ones_own(tmp_path, way):
    assert all(len(text.strip().splitlines()) < 30 for text in (METER, METRIC))
    code = f"{METER}\n{METRIC}"
    front = ["--import", "mine.py"]
    if way == "distribution":
        for decorator in DECORATORS:
            code = code.replace(decorator, "")
        entries = (
            "[htpbench.meters]\nwidth = mine:Width\n[htpbench.metrics]\nmedian = mine:Median\n"
        )
        distribution(tmp_path, entries, "")
        front = []
    (tmp_path / "mine.py").write_text(code)
    small.study(tmp_path, meters=("width", "accuracy"), name="own")
    text = (tmp_path / "own.toml").read_text()
    objectives = 'objectives = ["width.tokens", "accuracy.median"]'
    text = text.replace('objectives = ["accuracy.mpjpe", "accuracy.p_mpjpe"]', objectives)
    (tmp_path / "own.toml").write_text(text)

    def run(*arguments):
        process = small.started("-m", "htpbench", *front, *arguments, cwd=tmp_path)
        code, out, err = small.finished(process)
        assert code == 0, out + err
        return out

    run("sweep", "own.toml", "--reports", "reports")
    assert "How wide the network is." in run("ls")
    table = (tmp_path / "reports" / "own" / "own.md").read_text()
    assert "width (channel)" in table and "median joint error (mm)" in table
    rows = {row.metric: row for row in Results.read(tmp_path / "results")}
    assert rows["width.tokens"].value == 32 and rows["width.tokens"].unit == "channel"
    assert "width" in rows["width.tokens"].conditions["code"]
    assert rows["accuracy.median"].value > 0 and rows["accuracy.median_by_clip"].axis
    said = run("compare", small.NETWORK, small.PRUNED, "--metric", "width.tokens")
    assert "none" in said
    assert "paired by clip" in run(
        "compare", small.NETWORK, small.PRUNED, "--metric", "accuracy.median"
    )


def test_the_contract_as_the_documentation_shows_it(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(METER)
    monkeypatch.chdir(tmp_path)
    exec(CONTRACT, found := {})
    for name in [name for name in dir(found["TestWidth"]) if name.startswith("test_")]:
        with suppress(pytest.skip.Exception):
            getattr(found["TestWidth"](), name)()


def test_a_meter_that_was_typed_in_has_a_digest_of_its_functions():
    one, other = {}, {}
    exec(METER, one)
    del METERS.registered["width"]
    exec(METER.replace(".width)]", ".width + 1)]"), other)
    assert digest(one["Width"]) != digest(other["Width"])


def test_a_metric_of_ones_own_that_is_edited_has_another_key(tmp_path, monkeypatch):
    keys = []
    for text in (METRIC, METRIC.replace("median(dim=-1).values", "amax(dim=-1)")):
        monkeypatch.setattr(METRICS, "registered", {})
        path = tmp_path / "metric.py"
        path.write_text(text)
        import_file(path)
        context = Context(load(str(small.study(tmp_path, meters=("accuracy",)))))
        keys.append(job(context, parse(small.PRUNED), "accuracy").keys)
    own = {"accuracy.median", "accuracy.median_by_clip"}
    assert {name for name in keys[0] if keys[0][name] != keys[1][name]} == own


@pytest.mark.parametrize("returned", ["poses", "poses[:, 0, 0] / 0", "poses[:-1, 0, 0]"])
def test_a_metric_that_is_wrong_fails_with_its_name(tmp_path, returned):
    path = tmp_path / "metric.py"
    path.write_text(METRIC.replace(ERRORS, returned))
    import_file(path)
    runner = small.runner(load(str(small.study(tmp_path, meters=("accuracy",)))), tmp_path / "r")
    with runner.writer() as writer:
        rows = runner.measure(parse(small.NETWORK), writer)
    assert {row.status for row in rows.values()} == {"failed"}
    assert "the metric median " in rows["accuracy.mpjpe"].reason


def test_a_metric_cannot_take_a_name_of_ours(tmp_path):
    path = tmp_path / "metric.py"
    path.write_text(METRIC.replace('"median"', '"mpjpe"'))
    import_file(path)
    with pytest.raises(BenchError, match="'mpjpe' is taken"):
        catalogue.tabled()


def test_a_distribution_that_is_broken_is_named(tmp_path):
    distribution(tmp_path, "[htpbench.meters]\nwidth = mine:Width\n", "")
    (tmp_path / "mine.py").write_text("1 / 0")
    done = small.launched("-m", "htpbench", "ls", cwd=tmp_path)
    code, _, err = small.finished(done)
    assert code == 2 and "Traceback" not in err
    assert "the meter 'width' of the installed htpbench-fastest (mine:Width) cannot be" in err


def test_steps_that_are_compared_take_as_many_windows():
    names = ["mixste-9", "mhformer-9"]
    study = {"name": "a", "title": "", "meters": ["training"], "combinations": names}
    asked = Context(Study.model_validate({**study, "timing": {"graph": True}}))
    told = [catalogue.meter("training").conditions(asked, parse(name)) for name in names]
    assert [one["training_batch"] for one in told] == [Recipe.of("mixste-9", ()).batch] * 2
    assert Recipe.of("mhformer-9", ()).batch != told[0]["training_batch"]
    assert all("batch" not in one and "graph" not in one for one in told)
    given = Context(Study.model_validate({**study, "timing": {"training_batch": 3}}))
    assert catalogue.meter("training").conditions(given, parse(names[0]))["training_batch"] == 3


def test_a_timed_step_learns_and_holds_no_gradient():
    step = learning.Step(Recipe.of(small.NETWORK, ()), build(small.NETWORK)).eval()
    before = [one.clone() for one in step.parameters()]
    inputs = step.example(2)
    with torch.inference_mode():  # as clocks call what they time
        step(*inputs)
    assert any(not a.equal(b) for a, b in zip(before, step.parameters(), strict=True))
    assert all(one.grad is None for one in step.parameters())
    assert step.lifter.training


def test_conditions_at_their_default_are_not_written():
    assert beyond(a=(1, 1), b=(2, 1), c=({}, {})) == {"b": 2}


def test_a_context_cuts_its_windows_by_all_that_matters(tmp_path):
    context = Context(load(str(small.study(tmp_path, meters=("accuracy",)))))
    network, before = parse(small.NETWORK), context.study.evaluation
    first = context.evaluation(network)
    for change in ({"windows": 2}, {"detections": "gt"}, {"stride": 3}, {"downsample": 2}):
        other = context.under(evaluation=before.model_copy(update=change)).evaluation(network)
        assert other is not first and other.card != first.card, change
    same = context.under(evaluation=before.model_copy(update={"flip": True}))
    assert same.evaluation(network) is first, "the flip says how windows are lifted"


def test_weights_may_be_a_table_by_backbone(tmp_path):
    fields = {"name": "t", "title": "", "meters": ["accuracy"]}
    combinations = ["mixste.tiny-81", "mixste.tiny-81+tps:9@1+tri", "d3dp.tiny-81"]
    weights = {"mixste": "random", "mixste.tiny": "mixste.tiny-81", "d3dp": "d3dp.tiny-81"}
    study = Study(**fields, combinations=combinations, weights=weights)
    context = Context(study)
    told = [context.weights(one).conditions["weights"] for one in study.parsed()]
    assert told == ["mixste.tiny-81", "mixste.tiny-81", "d3dp.tiny-81"]
    with pytest.raises(BenchError, match=r"weights has none for d3dp.tiny-81; expected .* d3dp"):
        Study(**fields, combinations=combinations, weights={"mixste": "random"})


def test_a_study_of_a_table_of_weights_is_swept(tmp_path):
    text = '[weights]\n"mixste.tiny-9" = "random"'
    path = small.study(tmp_path, meters=("accuracy",), name="table")
    path.write_text(path.read_text().replace('weights = "random"\n', "") + f"\n{text}\n")
    runner = small.runner(load(str(path)), tmp_path / "r")
    with runner.writer() as writer:
        assert runner.measure(parse(small.PRUNED), writer)["accuracy.mpjpe"].status == "ok"


@pytest.mark.parametrize("recovered", [3, 8])
def test_frames_that_are_recovered_in_part_have_no_motion_to_measure(tmp_path, recovered):
    study = load(str(small.study(tmp_path, 'pipeline = "seq2seq"', meters=("accuracy",))))
    runner = small.runner(study, tmp_path / "r")
    with runner.writer() as writer:
        rows = runner.measure(parse(f"mixste.tiny-9+tps:7@1+tri:{recovered}"), writer)
    assert {row.status for row in rows.values()} == {"ok"} and "accuracy.mpjve" not in rows


WRONG = {
    "torch.tensor(3.0)": "is not a finite Python number",
    "__import__('numpy').float32(3)": "is not a finite Python number",
    "[1.0]": "expected one number",
    "1.0, float('nan')": "is not a finite Python number",
    "True": "is not a finite Python number",
    "1.0, samples=2.5": "expected a whole number",
    "1.0, note='x' * 20_000": "expected a text",
}


@pytest.mark.parametrize("value", WRONG)
def test_a_value_that_no_row_can_hold_fails_its_combination_alone(tmp_path, value):
    path = tmp_path / "mine.py"
    path.write_text(
        f"import torch\n{METER.replace('context.built(combination).backbone.width', value)}"
    )
    import_file(path)
    runner = small.runner(
        load(str(small.study(tmp_path, meters=("width", "cost")))), tmp_path / "r"
    )
    with runner.writer() as writer:
        rows = runner.measure(parse(small.NETWORK), writer)
    assert rows["width.tokens"].status == "failed" and rows["cost.flops"].status == "ok"
    assert WRONG[value] in rows["width.tokens"].reason

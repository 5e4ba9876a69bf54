"""Meters and metrics of third parties that are wrong: what is told, and when."""

import pytest
import small

from htpbench.errors import BenchError
from htpbench.study.loading import by_hand
from htpbench.systems.combination import parse
from htpbench.systems.registry import METERS, METRICS, import_file

HEAD = """
from htpbench import METERS, METRICS, Measurement, Meter, Metric, PoseMetric
one = Metric(name="mine.one", head="one")
"""
METER_OF = """
@METERS.register("mine")
class Mine({base}):
    metrics = {metrics}
    {more}
"""
MEASURE = "def measure(self, context, combination, watch=None): {}"
RIGHT = MEASURE.format('return [Measurement("mine.one", 1)]')
CONDITIONS = RIGHT + "\n    def conditions(self, context, combination): return {}"
METRIC_OF = """
@METRICS.register("mine")
class Mine({base}):
    {more}
    def errors(self, poses, targets): return (poses - targets).norm(dim=-1).mean(-1)
"""


def written(base="Meter", metrics="(one,)", more=RIGHT):
    return HEAD + METER_OF.format(base=base, metrics=metrics, more=more)


def asked(folder):
    """The rows of a network by the meter `mine`."""
    study = by_hand([parse(small.NETWORK)], ["mine"], None, {})
    runner = small.runner(study, folder / "results")
    with runner.writer() as writer:
        return runner.measure(parse(small.NETWORK), writer)


def written_metric(base="PoseMetric", more='head = "mine"'):
    return HEAD + METRIC_OF.format(base=base, more=more)


REFUSED = {  # what an imported file is told: the file, what is wrong, what was expected
    "a number": (
        written(more=f"processes = 2\n    {RIGHT}"),
        r"processes is 2; expected processes\(self",
    ),
    "no tuple": (written(metrics="(one)"), r"'mine' \(mine.py\): metrics is Metric.*a tuple"),
    "no metrics": (written(metrics="()"), r"metrics is \(\); expected"),
    "missing metrics": (written().replace("metrics =", "metric ="), "metrics is missing"),
    "another's": (written(metrics='(Metric(name="time.cpu"),)'), "time.cpu; expected mine.SOMETH"),
    "twice": (written(metrics="(one, one)"), "declares mine.one twice"),
    "no meter": (written(base="object"), "no htpbench.Meter"),
    "no method": (written(more=""), r"no method measure\(self"),
    "better": (HEAD.replace("head", "better"), "line 3: ValueError: better of mine.one is 'one'"),
    "kind": (HEAD.replace("head", "kind"), "kind of mine.one is 'one'; expected one of 'number'"),
    "no head": (written_metric(more=""), r"metric 'mine' \(mine.py\): head.*is missing"),
    "no pose metric": (written_metric(base="object"), "no htpbench.PoseMetric"),
    "no errors": (written_metric().replace("def errors", "def error"), "no method errors"),
    "its better": (
        written_metric(more='head = "mine"; better = "up"'),
        "better of accuracy.mine is 'up'",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_declaration_that_is_wrong_is_refused_when_it_comes_in(tmp_path, fault):
    code, told = REFUSED[fault]
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(BenchError, match=told):
        import_file(tmp_path / "mine.py")
    assert "mine" not in METERS.names() + METRICS.names()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("None", "None; expected a dict"),
        ("{'a': {1}}", "not JSON serializable"),
        ("combination.nothing", r"\(mine.py, line 9\): AttributeError"),
    ],
)
def test_conditions_that_no_row_can_hold_end_the_run(tmp_path, said, told):
    (tmp_path / "mine.py").write_text(written(more=CONDITIONS.format(said)))
    import_file(tmp_path / "mine.py")
    with pytest.raises(BenchError, match=rf"conditions of the meter 'mine'.*{told}"):
        asked(tmp_path)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("return None", "expected a list of Measurement"),
        ('return Measurement("mine.one", 1)', "expected a list of Measurement"),
        ('return [("mine.one", 1)]', "expected a list of Measurement"),
        ('return [Measurement("mine.2", 1)]', "did not measure mine.one; measured mine.2, which"),
        ("return context.nothing", r"(mine.py, line 8)"),
        ("raise SystemExit(7)", "SystemExit: 7"),
    ],
)
def test_a_meter_that_fails_costs_its_combination_alone(tmp_path, body, reason):
    (tmp_path / "mine.py").write_text(written(more=MEASURE.format(body)))
    import_file(tmp_path / "mine.py")
    (row,) = asked(tmp_path).values()
    assert row.status == "failed" and reason in row.reason


def test_the_device_is_a_condition_of_what_is_measured_on_it_alone(tmp_path):
    (tmp_path / "mine.py").write_text(written(more=f"exclusive = True\n    {RIGHT}"))
    import_file(tmp_path / "mine.py")
    (row,) = asked(tmp_path).values()
    assert {"environment", "device", "threads"} <= row.conditions.keys()

"""Rules of the gate, as they are written: how far a number may move."""

from dataclasses import replace

import pytest
import small

from htpbench.errors import BenchError
from htpbench.gate import tolerance
from htpbench.records.row import Row

ROW = Row(
    key="k",
    study="s",
    combination=small.NETWORK,
    metric="accuracy.mpjpe",
    value=100,
    unit="mm",
    environment="e",
)


@pytest.mark.parametrize(
    ("text", "unit", "metric", "limits"),
    [
        ("+0.05mm", "mm", "accuracy.mpjpe", (100.05, 100.06)),
        ("0.05", "mm", "accuracy.mpjpe", (100.05, 100.06)),
        ("+.5 %", "mm", "accuracy.mpjpe", (100.5, 100.51)),
        ("+1e-1mm", "mm", "accuracy.mpjpe", (100.1, 100.11)),
        ("+0", "1", "cost.params", (100, 101)),
        ("+0.5", "%", "accuracy.pck", (99.5, 99.4)),
        ("-0.5%", "%", "accuracy.pck", (99.5, 99.4)),
        ("+2mm/s^2", "mm/s^2", "accuracy.acceleration_error", (102, 102.1)),
    ],
)
def test_rules_as_they_are_written(text, unit, metric, limits):
    row = replace(ROW, metric=metric, unit=unit)
    ((name, rule),) = tolerance.parse_rules([f"{metric}:{text}"], {metric: unit}).items()
    assert name == metric
    judged = [rule.judge(row, replace(row, value=value)).state for value in (100, *limits)]
    assert judged == ["same", "same", "worse"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("accuracy.mpjpe", "for example accuracy.mpjpe:+0.05mm"),
        ("accuracy.mpjpe:+mm", "expected METRIC:+NUMBER"),
        ("accuracy.mpjpe:+nan", "expected METRIC:+NUMBER"),
        ("accuracy.mpjpe:++1mm", "expected METRIC:+NUMBER"),
        ("accuracy.mpjp:+1mm", "did you mean accuracy.mpjpe"),
        ("selection.kept:+1", "unknown metric 'selection.kept'"),
        ("accuracy.mpjpe:+1px", "'mm', not 'px'; write accuracy.mpjpe:+1mm, or %"),
    ],
)
def test_rules_that_are_refused(text, words):
    with pytest.raises(BenchError) as refused:
        tolerance.parse_rules([text], {"accuracy.mpjpe": "mm", "cost.params": "1"})
    assert words in str(refused.value)

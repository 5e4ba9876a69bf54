"""The gate and clocks: how it times, and what it pins of what a clock or another's metric tells."""

import pytest
import small
import torch
from test_meters import METRIC

from htpbench.gate import check, pinned
from htpbench.study.settings import EvaluationSettings, SamplingSettings, TimingSettings
from htpbench.study.study import Study
from htpbench.systems.registry import import_file


@pytest.fixture
def study(tmp_path):
    return Study(
        name="gate",
        title="",
        meters=["cost"],
        combinations=[small.NETWORK, small.PRUNED],
        weights="random",
        evaluation=EvaluationSettings(data=str(small.motion_file(tmp_path)), windows=4, flip=False),
    )


def test_a_gate_times_the_first_size_with_the_threads_of_the_study(study, monkeypatch):
    monkeypatch.setattr("htpbench.bench.together.Run.child", small.in_this_process)
    timing = {"batch": (2, 1), "threads": 2, "rounds": 3, "round_s": 0.003, "processes": 1}
    changes = {"meters": ["time"], "timing": TimingSettings(**timing)}
    threads = torch.get_num_threads()
    after = check.measure(study.model_copy(update=changes), also={"time"})
    cards = [row.conditions for row in after.rows.values()]
    assert {(card["batch"], card["threads"]) for card in cards} == {(2, 2)}
    assert torch.get_num_threads() == threads == 1


def test_a_metric_of_ones_own_and_what_a_clock_counts_can_be_pinned(study, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(METRIC)
    import_file(tmp_path / "mine.py")
    monkeypatch.setattr("htpbench.bench.together.Run.child", small.in_this_process)
    changes = {
        "meters": ["accuracy", "sampling"],
        "combinations": ["d3dp.tiny-9"],
        "weights": "random",
        "timing": TimingSettings(rounds=3, round_s=0.003, processes=1),
        "sampling": SamplingSettings(hypotheses=1, iterations=1),
    }
    changed = study.model_copy(update=changes)
    pinned.write(tmp_path / "a.jsonl", check.measure(changed))
    monkeypatch.setenv("HTPBENCH_MACHINE", "another")
    judged = check.check(changed, tmp_path / "a.jsonl", ["accuracy.median:+1"])
    found = {one.row.metric: one.state for one in judged.findings}
    assert found["accuracy.median"] == found["sampling.flops"] == "same", judged.findings

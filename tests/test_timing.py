"""Timing on fake lifters whose cost is known."""

import time

import numpy as np
import pytest
import small
import torch

from htpbench.measuring import timing
from htpbench.network.build import build
from htpbench.records.medians import median_interval
from htpbench.systems import catalogue


class Sleeper(torch.nn.Module):
    """Sleeps for as many seconds in each part."""

    def __init__(self, blocks, prune=0.0, recover=0.0, embed=0.0, head=0.0, centred=False):
        super().__init__()
        self.parts = {"embed": embed, "prune": prune, "recover": recover, "head": head}
        self.blocks, self.centred, self.frames = blocks, centred, 9
        self.span = build(small.NETWORK).span

    def example(self, batch, device):
        return (torch.zeros(batch),)

    def forward(self, x):
        for name, seconds in self.parts.items():
            with self.span(name):
                time.sleep(seconds)
        time.sleep(self.blocks)


@pytest.fixture(scope="module")
def measured():
    lifters = [
        Sleeper(0.04),
        Sleeper(0.002, prune=0.003, recover=0.004, embed=0.005, head=0.006),
        Sleeper(0.002, centred=True),
    ]
    return [by_metric(found) for found in timing.measure(lifters, batch=2, rounds=3, round_s=0.03)]


def by_metric(found):
    assert len({one.metric for one in found}) == len(found)
    return {one.metric: one for one in found}


def test_every_metric_is_measured_in_its_unit(measured):
    units = {"time.speedup": "1", "time.prune_share": "1", "time.overhead": "1"}
    units |= {"time.clips_per_second": "1/s", "time.frames_per_second": "1/s"}
    for found in measured:
        assert set(found) == set(small.metrics("time"))
        for metric, one in found.items():
            assert catalogue.metric(metric).unit == units.get(metric, "s")
            assert np.isfinite(one.value).all()


def test_a_pass_lasts_at_least_as_long_as_it_sleeps(measured):
    for found, least in zip(measured, (0.04, 0.02, 0.002), strict=True):
        forward = found["time.forward"]
        assert least <= forward.low <= forward.value <= forward.high
        assert found["time.first"].value >= least
        assert forward.samples == 3


def test_speed_ups_refer_to_the_first_and_stand_in_order(measured):
    speedups = [found["time.speedup"].value for found in measured]
    assert speedups[0] == 1.0
    assert 1.0 < speedups[1] < speedups[2]


def test_rates_follow_from_batch_and_frames(measured):
    for found, frames in zip(measured, (9, 9, 1), strict=True):
        clips = found["time.clips_per_second"]
        assert clips.value == pytest.approx(2 / found["time.forward"].value)
        assert clips.low <= clips.value <= clips.high
        assert found["time.frames_per_second"].value == pytest.approx(frames * clips.value)


def test_shares_say_where_the_time_goes(measured):
    plain, pruned, _ = measured
    assert 0 <= plain["time.prune_share"].value < 0.2
    assert 0.25 < pruned["time.prune_share"].value < 0.7
    found = pruned["time.breakdown"]
    assert found.axis == ["embed", "blocks", "prune", "recover", "head"]
    least = (0.005, 0.002, 0.003, 0.004, 0.006)
    assert all(value >= slept for value, slept in zip(found.value, least, strict=True))
    assert sum(found.value[2:4]) / sum(found.value) == pytest.approx(
        pruned["time.prune_share"].value, abs=0.1
    )
    assert plain["time.breakdown"].value[1] >= 0.04


def test_parts_sum_to_the_instrumented_pass():
    shares = np.array([[1.0, 2, 3, 4, 20], [1, 2, 3, 4, 20], [90, 90, 90, 90, 900]])
    found = by_metric(timing.breakdown(shares, plain=16.0))
    parts = dict(zip(found["time.breakdown"].axis, found["time.breakdown"].value, strict=True))
    assert parts == {"embed": 1, "blocks": 10, "prune": 2, "recover": 3, "head": 4}
    assert found["time.prune_share"].value == 5 / 20
    assert found["time.overhead"].value == 0.25


def test_a_real_lifter_is_left_as_it_was():
    torch.manual_seed(0)
    lifters = [build(small.NETWORK), build(small.PRUNED)]
    spans = [lifter.span for lifter in lifters]
    plain, pruned = map(by_metric, timing.measure(lifters, rounds=3, round_s=0.003))
    assert [lifter.span for lifter in lifters] == spans
    assert plain["time.prune_share"].value == 0
    assert 0 < pruned["time.prune_share"].value < 1
    assert all(value > 0 for value in pruned["time.breakdown"].value)
    parts = dict(zip(plain["time.breakdown"].axis, plain["time.breakdown"].value, strict=True))
    assert parts["prune"] == parts["recover"] == 0 < min(parts["embed"], parts["head"])


def test_the_interval_holds_the_median_and_is_seeded():
    values = np.random.default_rng(0).normal(1, 0.1, size=15)
    low, high = median_interval(values)
    assert low <= np.median(values) <= high
    assert (low, high) == median_interval(values)

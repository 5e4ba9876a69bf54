"""Timing on fake lifters whose cost is known."""

import time

import numpy as np
import pytest
import small
import torch

from htpbench.lifter import build
from htpbench.meters import timing
from htpbench.statistics import median_interval


class Sleeper(torch.nn.Module):
    """Sleeps for `prune`, `recover` and `rest` seconds."""

    def __init__(self, rest, prune=0.0, recover=0.0, centred=False):
        super().__init__()
        self.parts = {"prune": prune, "recover": recover}
        self.rest, self.centred, self.frames = rest, centred, 9
        self.span = build(small.NETWORK).span

    def example(self, batch, device):
        return (torch.zeros(batch),)

    def forward(self, x):
        for name, seconds in self.parts.items():
            with self.span(name):
                time.sleep(seconds)
        time.sleep(self.rest)


@pytest.fixture(scope="module")
def measured():
    lifters = [
        Sleeper(0.016),
        Sleeper(0.002, prune=0.002, recover=0.004),
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
        assert set(found) == set(timing.METRICS)
        for metric, one in found.items():
            assert one.unit == units.get(metric, "s")
            assert np.isfinite(one.value).all()


def test_a_pass_lasts_at_least_as_long_as_it_sleeps(measured):
    for found, least in zip(measured, (0.016, 0.008, 0.002), strict=True):
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
    assert 0.4 < pruned["time.prune_share"].value < 1
    prune, recover, rest = pruned["time.breakdown"].value
    assert pruned["time.breakdown"].axis == ["prune", "recover", "rest"]
    assert prune >= 0.002 and recover >= 0.004 and rest >= 0.002
    assert (prune + recover) / (prune + recover + rest) == pytest.approx(
        pruned["time.prune_share"].value, abs=0.1
    )


def test_a_real_lifter_is_left_as_it_was():
    torch.manual_seed(0)
    lifters = [build(small.NETWORK), build(small.PRUNED)]
    spans = [lifter.span for lifter in lifters]
    plain, pruned = map(by_metric, timing.measure(lifters, rounds=3, round_s=0.003))
    assert [lifter.span for lifter in lifters] == spans
    assert plain["time.prune_share"].value == 0
    assert 0 < pruned["time.prune_share"].value < 1


def test_the_interval_holds_the_median_and_is_seeded():
    values = np.random.default_rng(0).normal(1, 0.1, size=15)
    low, high = median_interval(values)
    assert low <= np.median(values) <= high
    assert (low, high) == median_interval(values)

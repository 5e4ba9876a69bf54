"""Timing on fake lifters whose cost is known."""

import time
import weakref

import numpy as np
import pytest
import small
import torch

from htpbench.errors import Faulty
from htpbench.measuring import clock, timed, timing
from htpbench.network.build import build
from htpbench.records import clocks
from htpbench.systems import catalogue

NAMES = ("reference", "pruned", "centred")


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


class Broken(Sleeper):
    """Fails at a pass, the first or a later one."""

    def __init__(self, after):
        super().__init__(0.001)
        self.left = after

    def forward(self, x):
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("on purpose")
        super().forward(x)


def told(makers, **settings):
    """What one process tells: name -> its numbers by name, or why it has none."""
    found = timing.measure(makers, rounds=3, round_s=0.03, **settings)
    return {
        one: each if isinstance(each, Exception) else {m.metric: m.value for m in each}
        for one, each in found
    }


def by_metric(parts):
    return {one.metric: one for one in clocks.joined("time", parts)}


@pytest.fixture(scope="module")
def measured():
    """Two processes of three networks."""
    lifters = [
        Sleeper(0.04),
        Sleeper(0.002, prune=0.003, recover=0.004, embed=0.005, head=0.006),
        Sleeper(0.002, centred=True),
    ]
    makers = {name: lambda one=one: one for name, one in zip(NAMES, lifters, strict=True)}
    parts = [told(makers, batch=2) for _ in range(2)]
    return [by_metric([part[name] for part in parts]) for name in NAMES]


def test_every_metric_is_measured_in_its_unit(measured):
    units = {"time.clips_per_second": "1/s", "time.frames_per_second": "1/s"}
    ratios = ("speedup", "prune_share", "overhead", "drift", "cpu", "tells")
    units |= dict.fromkeys((f"time.{one}" for one in ratios), "1")
    for found in measured:
        assert set(found) == {*small.metrics("time"), "time.tells"}
        for metric, one in found.items():
            assert catalogue.metric(metric).unit == units.get(metric, "s")
            assert np.isfinite(one.value).all()


def test_a_pass_lasts_at_least_as_long_as_it_sleeps(measured):
    for found, least in zip(measured, (0.04, 0.02, 0.002), strict=True):
        forward = found["time.forward"]
        assert 0.98 * least <= forward.value
        assert forward.low <= forward.value <= forward.high
        assert found["time.first"].value >= least
        assert forward.samples == 2
        assert least <= found["time.p90"].value <= found["time.p99"].value


def test_speed_ups_refer_to_the_first_and_stand_in_order(measured):
    speedups = [found["time.speedup"].value for found in measured]
    assert speedups[0] == 1.0
    assert 1.0 < speedups[1] < speedups[2]
    base = measured[0]["time.forward"].value
    for found in measured:
        assert found["time.forward"].value * found["time.speedup"].value == pytest.approx(base)


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
        pruned["time.prune_share"].value
    )
    assert plain["time.breakdown"].value[1] >= 0.04


def test_parts_sum_to_each_instrumented_pass():
    """Where spans overlap a gap the rest is negative, and is shown."""
    parts = np.array([[1.0, 2, 3, 4, 20], [1.0, 2, 3, 4, 9]])
    assert timed.breakdown(parts).tolist() == [[1, 10, 2, 3, 4], [1, -1, 2, 3, 4]]


@pytest.mark.parametrize("after", [0, 12])
def test_a_network_that_fails_takes_no_other_with_it(after):
    makers = {"reference": lambda: Sleeper(0.001), "broken": lambda: Broken(after)}
    makers["other"] = lambda: Sleeper(0.001)
    begun = []
    found = told(makers, begin=begun.append)
    assert str(found["broken"]) == "on purpose" and "rounds" in found["other"]
    assert begun.count("other") == 4, "loaded, and visited in each round"
    found = told({"reference": lambda: Broken(after), "other": lambda: Sleeper(0.001)})
    assert isinstance(found["other"], Faulty) and "on purpose" in str(found["other"])


def test_frames_are_those_that_come_out():
    lifter = build("mixste.tiny-9+tps:5@1+tri:3", "seq2seq")
    ((_, told),) = timing.measure({"a": lambda: lifter}, rounds=1, round_s=0.001)
    (clip,) = (one.value for one in told if one.metric == "clip")
    assert clip == [1, 3]


def test_a_failure_holds_nothing():
    held = []

    def fail():
        filled = torch.zeros(3)
        held.append(weakref.ref(filled))
        raise MemoryError("out of memory")

    try:
        fail()
    except MemoryError as error:
        timing.let_go(error)
        kept = error
    assert held[0]() is None and kept.__traceback__ is not None


def test_a_real_lifter_is_left_as_it_was():
    torch.manual_seed(0)
    lifters = {one: build(one) for one in (small.NETWORK, small.PRUNED)}
    spans = [lifter.span for lifter in lifters.values()]
    makers = {name: lambda one=one: one for name, one in lifters.items()}
    plain, pruned = (by_metric([each]) for each in told(makers).values())
    assert [lifter.span for lifter in lifters.values()] == spans
    assert plain["time.prune_share"].value == 0
    assert 0 < pruned["time.prune_share"].value < 1
    first, second = lifters.values()
    held = dict(first.named_parameters())
    assert all(held[name] is one for name, one in second.named_parameters()), "held once"
    assert all(one.requires_grad and not one.is_inference() for one in held.values())


def test_a_probe_knows_how_much_of_the_cpu_it_gets():
    """Threads that do nothing for half of the time look like threads that others held up."""
    probe = clock.Probe()
    whole = probe.of(probe.work, 0.3)

    def interrupted():
        probe.work()
        time.sleep(0.02)

    assert probe.of(interrupted, 0.3) < 0.5 * whole

"""Intervals of times: what they cover, what they find, what sessions have in common."""

from dataclasses import replace

import numpy as np
import pytest
import small
from paths import ROOT

from htpbench.records import clocks
from htpbench.records.restated import restated
from htpbench.records.results import Results
from htpbench.records.rows import Store
from htpbench.records.sessions import noise, pooled, ratio

A, B = "mixste.tiny-81", "mixste.tiny-81+tps:9@1+tri"
DRAWS, ROUNDS = 400, 5


def correlated(rng, count, rho=0.8, spread=0.01):
    """Rounds of a process that remember the ones before."""
    noise = rng.normal(size=count)
    for index in range(1, count):
        noise[index] = rho * noise[index - 1] + np.sqrt(1 - rho**2) * noise[index]
    return spread * noise


def session(rng, true, between, processes=5, spread=0.01):
    """What processes tell of a network that takes `true` of the reference's time."""
    found = []
    for _ in range(processes):
        level, own = rng.normal(0, 0.1), rng.normal(0, between)  # the machine's, the network's
        drift = correlated(rng, ROUNDS, spread=0.02)
        base = np.exp(level + drift + correlated(rng, ROUNDS, spread=spread))
        mine = true * np.exp(level + own + drift + correlated(rng, ROUNDS, spread=spread))
        found.append({"reference": base, "rounds": mine})
    return found


def gains(found):
    """The speed-up and the ends of its interval."""
    each = [clocks.gain(part["reference"], part["rounds"]) for part in found]
    one = clocks.over("speedup", np.array(each))
    return one.value, one.low, one.high


@pytest.mark.parametrize("between", [0.0, 0.005, 0.01, 0.02])
def test_the_interval_covers_what_it_says(between):
    """0 to 2 % between processes, rounds that are correlated by 0.8: 95 % in 400 sessions."""
    rng = np.random.default_rng(int(1e4 * between))
    inside = 0
    for _ in range(DRAWS):
        _, low, high = gains(session(rng, 0.8, between))
        inside += low <= 1 / 0.8 <= high
    assert 0.92 <= inside / DRAWS <= 0.98


def test_two_percent_are_found_where_processes_spread_by_half_a_percent():
    """In at least 8 of 10; and of one network no more than 1 in 20 is told apart from itself."""
    rng = np.random.default_rng(1)
    noise = {"between": 0.0035, "spread": 0.0025}  # of rounds: together half a percent
    many = session(rng, 1.0, processes=2000, **noise)
    each = [clocks.gain(part["reference"], part["rounds"]) for part in many]
    assert np.std(each) == pytest.approx(0.005, rel=0.1)
    found = wrong = 0
    for _ in range(DRAWS):
        _, low, _ = gains(session(rng, 1 / 1.02, **noise))
        found += low > 1 + clocks.FLOOR
        _, low, high = gains(session(rng, 1.0, **noise))
        wrong += low > 1 + clocks.FLOOR or high < 1 - clocks.FLOOR
    assert found / DRAWS >= 0.8
    assert wrong / DRAWS <= 0.05


def test_one_process_has_no_interval():
    one = clocks.over("speedup", np.array([0.5]))
    assert (one.low, one.high) == (None, None)
    assert "time.tells" not in {row.metric for row in small.timed(A, [1.0], (1.0,))}


def test_what_it_could_tell_is_half_the_interval_and_the_floor():
    rows = {row.metric: row for row in small.timed(A, [0.5, 0.51, 0.5, 0.49, 0.5])}
    speedup = rows["time.speedup"]
    half = np.log(speedup.high / speedup.low) / 2
    assert rows["time.tells"].value == pytest.approx(half + clocks.FLOOR)


def test_no_table_contradicts_itself():
    """Two sessions, the machine twice as slow in the second: times are of one machine."""
    held = [*small.timed(A, [1.0] * 5), *small.timed(B, [1.0] * 5, (2.0,) * 5)]
    found = {(row.combination, row.metric): row for row in pooled(held)}
    base, mine = found[A, "time.forward"], found[B, "time.forward"]
    assert base.value / mine.value == pytest.approx(found[B, "time.speedup"].value) == 2
    assert base.value == pytest.approx(2**0.5)
    assert found[B, "time.clips_per_second"].value == pytest.approx(1 / mine.value)
    assert found[B, "time.p90"].value == pytest.approx(mine.value)
    assert found[B, "time.by_process"].value == [1.0] * 5, "as it was measured"
    assert restated(restated(held)) == restated(held)


def test_a_masked_network_refers_to_the_same_reference():
    masked = small.timed(B, [1.0] * 5, (2.0,) * 5, conditions={"masked": True})
    found = {
        row.combination: row
        for row in pooled([*small.timed(A, [1.0] * 5), *masked])
        if row.metric == "time.forward"
    }
    assert found[A].value / found[B].value == pytest.approx(2)


def test_a_busy_session_does_not_say_how_fast_the_machine_is():
    held = [*small.timed(A, [1.0] * 5), *small.timed(B, [5.0] * 5, (9.0,) * 5, probe=[0.4])]
    found = {(row.combination, row.metric): row for row in pooled(held)}
    assert found[A, "time.forward"].value == pytest.approx(1.0)
    assert found[B, "time.forward"].value == pytest.approx(5 / 9)
    why = Results(held).doubtful.pop(B)
    assert why["time.speedup"] == "it got 40 % of the CPU that it could use"
    assert set(why) == {row.metric for row in held}


def test_a_device_that_waits_is_launch_bound():
    """Two clocks: 4 ms of work in a call of 10 ms."""
    cuda = {"device": [0.004], "device_reference": [0.008], "launches": [0.0]}
    rows = {row.metric: row for row in small.timed(A, [0.01] * 5, (0.012,) * 5, **cuda)}
    assert rows["time.busy"].value == pytest.approx(0.4)
    assert rows["time.busy"].reason == "launch_bound"
    assert rows["time.device_speedup"].value == pytest.approx(2)
    assert rows["time.speedup"].value == pytest.approx(1.2)
    assert rows["time.device"].reason is None
    eager = small.timed(A, [0.01] * 5, (0.012,) * 5, **{**cuda, "launches": [1.0]})
    assert "launches are in it" in {row.metric: row for row in eager}["time.device"].reason


def test_what_hit_one_network_alone_shows():
    """The least CPU of its processes, by their best."""
    parts = [{"cpu": [one], "probe": [1.0]} for one in (1.9, 1.9, 1.2, 1.1, 1.2)]
    assert clocks.cpu_share(parts) == pytest.approx(1.2 / 1.9)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ((0.07, 0.08, 0.07, 0.08, 0.07), "marking the parts changed the time by +7 %"),
        ((-0.07, -0.08, -0.07, -0.08, -0.07), "marking the parts changed the time by -7 %"),
        ((0.02, 0.03, 0.02, 0.03, 0.02), ""),
        ((-0.2, 0.2, 0.07, 0.1, -0.1), ""),  # a call a visit: chance, which the times' interval has
    ],
)
def test_marking_must_surely_change_the_time(found, told):
    rows = {row.metric: row for row in small.timed(A, [1.0] * 5)}
    one = clocks.about("overhead", float(np.median(found)), np.array(found))
    changed = {"value": one.value, "low": one.low, "high": one.high}
    rows["time.overhead"] = replace(rows["time.overhead"], **changed)
    assert noise("time.prune_share", rows) == told


def test_rows_of_an_older_clock_are_not_trusted():
    rows = {row.metric: row for row in small.timed(A, [1.0] * 5)}
    assert noise("time.forward", rows) == ""
    del rows["time.drift"]
    assert noise("time.forward", rows) == "timed by an older clock, which did not look"
    assert noise("cost.flops", {}) == noise("sampling.flops", {}) == ""


def test_parts_of_a_training_step_are_not_taken_for_the_step():
    measured = {row.key: row.value for row in Store(ROOT / "results").read()}
    read = [row for row in small.committed() if row.metric == "training.forward"]
    assert read and all(row.value == measured[row.key] for row in read)
    card = {
        row.metric: row
        for row in small.committed()
        if row.metric.startswith("training.") and row.combination == read[0].combination
    }
    paired = {name for name in card if ratio(name, card, card) is not None}
    assert paired == {"training.step", "training.windows_per_second", "training.speedup"}


def test_of_rows_that_were_measured_again_the_newest_count_wherever_they_lie():
    old = [replace(row, at="2026-01-01T00:00:00Z") for row in small.timed(A, [1.0] * 5)]
    new = [replace(row, at="2026-01-02T00:00:00Z") for row in small.timed(A, [2.0] * 5)]
    other = [replace(row, key=f"{row.key} of another version") for row in old]
    found = Results([*new, *other])
    assert found.measured[A]["time.by_process"].value == pytest.approx([2.0] * 5)
    assert found.measured[A]["time.forward"].value == found.numbers[A]["time.forward"]

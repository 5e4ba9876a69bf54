"""Intervals over subjects and training seeds: against scipy, by hand, and how often they hold."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.intervals import OPEN, PARTS, coverage, drawn
from htpbench.records.family import Comparison, tellable, ties, words
from htpbench.records.intervals import estimate
from htpbench.records.judging import too_little, word

NOMINAL, DRAWS = 0.93, 1000  # of 0.95: two standard errors of 1,000 draws are 0.014


def alike(values, frames=10):
    """An estimate of subjects (S, U) or (U,) of one clip each, all as long."""
    values = np.asarray(values, float)
    counts = np.full(values.shape[-1], frames)
    return estimate(values * counts, counts, np.arange(values.shape[-1]))


def test_subjects_of_one_length_are_students_t():
    values = np.random.default_rng(0).normal(3, 2, size=8)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert alike(values).interval() == pytest.approx(tuple(expected))
    assert alike(values).p() == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert alike(values).effective == pytest.approx(8)


def test_seeds_that_meet_like_subjects_are_students_t_over_seeds():
    seeds = np.array([1.0, 4.0, 2.0])
    expected = stats.ttest_1samp(seeds, 0).confidence_interval(0.95)
    assert alike(np.repeat(seeds[:, None], 6, axis=1)).interval() == pytest.approx(tuple(expected))


def test_the_jackknife_of_three_unlike_subjects_by_hand():
    """Means 1, 2, 6 of 20, 20 and 60 frames; two clips of the last."""
    sums, counts = np.array([20.0, 40.0, 90.0, 270.0]), np.array([20, 20, 15, 45])
    found = estimate(sums, counts, np.array(["a", "b", "c", "c"]))
    without = np.array([400 / 80, 380 / 80, 60 / 40])
    assert found.value == pytest.approx(4.2)
    assert found.of_subjects == pytest.approx(2 / 3 * ((without - without.mean()) ** 2).sum())
    assert found.effective == pytest.approx(1 / (0.2**2 + 0.2**2 + 0.6**2))
    half = stats.t.ppf(0.975, found.effective - 1) * math.sqrt(found.of_subjects)
    assert found.interval() == pytest.approx((4.2 - half, 4.2 + half))


def test_means_of_actions_do_not_weigh_frames():
    sums, counts = np.array([100.0, 0, 40, 60]), np.array([10, 30, 10, 5])
    found = estimate(sums, counts, np.array(["a", "b", "a", "b"]), np.array([0, 0, 1, 1]))
    assert found.value == pytest.approx((100 / 40 + 100 / 15) / 2)
    without = np.array([(0 + 12) / 2, (10 + 4) / 2])
    assert found.of_subjects == pytest.approx(np.var(without))


def test_clips_of_one_subject_bring_no_news():
    counts = np.full(12, 10)
    sums = np.random.default_rng(0).normal(50, 9, size=12) * counts
    assert estimate(sums, counts, np.zeros(12)).interval() == (None, None)
    assert estimate(sums, counts, np.zeros(12)).p() == 1


def test_p_is_where_the_interval_leaves_the_floor():
    found = alike([1.0, 2.0, 2.5, 1.5, 3.0])
    p = found.p(0.4)
    low, _ = found.interval(1 - p)
    assert low == pytest.approx(0.4) and found.p(0) < p and found.p(5) == 1
    assert alike([2.0] * 5).p(1) == 0 and alike([2.0] * 5).half() == 0


@pytest.mark.parametrize("shares", [OPEN, *((1 / n,) * n for n in (5, 10, 30))], ids=len)
def test_intervals_hold_the_truth_over_subjects(shares):
    ours, clips = coverage(DRAWS, shares)
    assert ours >= NOMINAL > clips


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize(("shares", "seeds"), [(OPEN, 3), ((1 / 20,) * 20, 3), ((1 / 6,) * 6, 5)])
def test_intervals_hold_the_truth_over_seeds_and_subjects(shares, seeds, parts):
    assert coverage(500, shares, seeds, PARTS[parts])[0] >= NOMINAL - 0.01


def pair(rng, shift=0.0):
    """A comparison with floor 0.25 of 20 subjects that differ by 0.5."""
    sums, counts, subjects = drawn(rng, (1 / 20,) * 20, parts=(0.5, 0, 0), shift=shift)
    return Comparison(estimate(sums, counts, subjects), 0.25, "less")


def test_a_network_is_not_told_from_itself_and_twice_the_tellable_is():
    rng = np.random.default_rng(0)
    told = [word("less", 50, *pair(rng).apart.interval()) for _ in range(100)]
    assert sum(one in ("better", "worse") for one in told) <= 5
    twice = 2 * tellable(pair(rng), 1)
    found = [words([pair(rng, twice)])[0] for _ in range(10)]
    assert found.count("worse") >= 8


def test_a_study_of_one_network_under_many_names_has_no_winner():
    """Holm: one family in 20 has any verdict that is wrong, however many it compares."""
    rng = np.random.default_rng(1)
    wrong = [{"better", "worse"} & set(words([pair(rng) for _ in range(20)])) for _ in range(100)]
    assert sum(map(bool, wrong)) <= 5
    alone = [word("less", 0, *pair(rng).apart.interval()) for _ in range(2000)]
    assert 60 < sum(one in ("better", "worse") for one in alone) < 140, "of 2,000 at 5 %"


def test_verdicts_are_holms():
    rng = np.random.default_rng(2)
    family = [pair(rng, shift) for shift in np.linspace(-1.5, 1.5, 9)]
    ps = np.array([one.apart.p(one.floor) for one in family])
    order = np.argsort(ps)
    adjusted = np.maximum.accumulate(ps[order] * np.arange(9, 0, -1))  # Holm 1979, step by step
    expected = {int(i) for i, p in zip(order, adjusted, strict=True) if p <= 0.05}
    found = words(family)
    assert {i for i, one in enumerate(found) if one in ("better", "worse")} == expected
    assert 0 < len(expected) < 9 and found[0] == "better" and found[8] == "worse"
    assert words([family[0]._replace(better="more")]) == ["worse"]


def test_what_lies_within_the_floor_is_the_same():
    near = Comparison(alike([0.01, -0.02, 0.0, 0.03, 0.01]), 0.25, "less")
    assert words([near]) == ["same"] and words([near] * 3) == ["same"] * 3


def test_ties_hold_what_the_best_cannot_be_told_from():
    values = {"a": 1.0, "b": 1.2, "c": 2.0, "d": 2.1, "e": 9.0}

    def against(first, others):
        return ["unsure" if values[one] - values[first] < 0.5 else "worse" for one in others]

    assert ties([*values], against) == {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3}
    assert ties(["a"], against) == {"a": 1} and ties([], against) == {}


@pytest.mark.parametrize(
    ("values", "trained", "why"),
    [
        (np.zeros(5), False, ""),
        (np.zeros(4), False, "4 subjects, 5 are needed"),
        (np.zeros(1), False, "1 subject, 5 are needed"),
        (np.zeros(5), True, "1 training seed, 3 are needed"),
        (np.zeros((2, 5)), False, "2 training seeds, 3 are needed"),
        (np.zeros((2, 4)), True, "4 subjects, 5 are needed; 2 training seeds, 3 are needed"),
        (np.zeros((3, 5)), True, ""),
    ],
)
def test_too_little_gets_no_verdict(values, trained, why):
    assert too_little(alike(values), trained) == why

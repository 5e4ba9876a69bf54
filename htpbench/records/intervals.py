"""Intervals of errors, 95 %: subjects are drawn, not clips, and crossed with training seeds.

Clips of one subject are alike, so that only another subject brings news. The printed number is
the mean over frames; its variance over subjects is the delete-one-subject jackknife's, with n_eff
- 1 degrees of freedom, where n_eff = 1 / sum of squared weights says how many subjects of the same
length would tell as much. Where networks were trained several times, seeds and subjects are
crossed: every seed is scored on every subject. Then

    half width^2 = t(seeds - 1)^2 V_seeds + t(n_eff - 1)^2 V_subjects

V_seeds is the variance of the mean over seeds. Both variances hold that of the interaction, so the
sum is too wide rather than too narrow; each has the quantile of its own degrees, because
Satterthwaite's common ones cover 0.92 at three seeds (benchmarks/intervals.md has the table).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

LEVEL = 0.95
FLOOR = 0.005  # of the value: what is nearer is the same for any practical purpose
FEWEST_SUBJECTS, FEWEST_SEEDS = 5, 3  # with fewer of them there is no verdict


@dataclass(frozen=True)
class Estimate:
    """A mean over frames, subjects and, where there are any, training seeds, and how sure it is."""

    value: float
    subjects: int
    effective: float  # subjects of the same length that would tell as much
    of_subjects: float  # variance of the value over draws of subjects
    seeds: int = 1
    of_seeds: float = 0.0  # the same over trainings

    def half(self, level: float = LEVEL) -> float:
        """Half the width of the interval; inf where one subject is all there is."""
        square = squared(level, self.effective - 1, self.of_subjects)
        if self.seeds > 1:
            square += squared(level, self.seeds - 1, self.of_seeds)
        return math.sqrt(square)

    def interval(self, level: float = LEVEL) -> tuple[float | None, float | None]:
        """The ends of the interval; None where nothing can be said."""
        half = self.half(level)
        return (self.value - half, self.value + half) if math.isfinite(half) else (None, None)

    def p(self, floor: float = 0.0) -> float:
        """The largest 1 - level at which the interval just lies beyond -floor or floor; 1: none."""
        beyond = abs(self.value) - floor
        if beyond <= 0 or not math.isfinite(self.half()):
            return 1.0
        if self.half(1 - 1e-12) < beyond:
            return 0.0
        return float(brentq(lambda p: self.half(1 - p) - beyond, 1e-12, 1.0))  # type: ignore


def squared(level: float, degrees: float, variance: float) -> float:
    """The square of half an interval's width by Student's t."""
    if degrees <= 1e-9:
        return math.inf
    return float(stdtrit(degrees, (1 + level) / 2)) ** 2 * variance


def estimate(
    sums: np.ndarray,
    counts: np.ndarray,
    subjects: np.ndarray,
    groups: np.ndarray | None = None,
) -> Estimate:
    """The mean of clips (C,) of subjects (C,), each of `counts` frames, and how sure it is.

    sums: (C,) what a clip's frames sum up to, or (S, C) for each of S training seeds.
    groups: (C,) actions; given, the value is the mean over them of their means.
    """
    sums = np.atleast_2d(sums).astype(float)
    names, subject = np.unique(subjects[counts > 0], return_inverse=True)
    _, group = np.unique(np.zeros(len(counts)) if groups is None else groups, return_inverse=True)
    cell = subject * (group.max() + 1) + group[counts > 0]
    shape = len(names), group.max() + 1

    def table(numbers: np.ndarray) -> np.ndarray:
        """(U, G) sums of numbers (C,) over the clips of each subject and group."""
        found = np.bincount(cell, numbers[counts > 0], minlength=math.prod(shape))
        return found.reshape(shape)

    frames, errors = table(counts), np.array([table(line) for line in sums])  # (S, U, G)
    total = frames.sum(axis=0)  # (G,)
    by_seed = group_mean(errors.sum(axis=1), total)  # (S,)
    whole = errors.mean(axis=0)  # (U, G)
    of_subjects = math.inf
    if len(names) > 1:
        without = group_mean(whole.sum(axis=0) - whole, total - frames)  # (U,), without each
        of_subjects = float((len(names) - 1) * np.var(without))
    share = np.divide(frames, total, out=np.zeros(shape), where=total > 0)
    held = share.sum(axis=1) / (total > 0).sum()  # (U,) what each subject weighs
    seeds = len(sums)
    return Estimate(
        value=float(by_seed.mean()),
        subjects=len(names),
        effective=float(1 / (held**2).sum()),
        of_subjects=of_subjects,
        seeds=seeds,
        of_seeds=float(np.var(by_seed, ddof=1) / seeds) if seeds > 1 else 0.0,
    )


def group_mean(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(...): mean over groups of sums / counts (..., G); an empty group does not count."""
    full = counts > 0
    means = np.divide(sums, counts, out=np.zeros(np.broadcast(sums, counts).shape), where=full)
    return means.sum(axis=-1) / full.sum(axis=-1)

"""Seeded bootstrap intervals, 95 %: over clips for errors, over rounds for times."""

from __future__ import annotations

import numpy as np

RESAMPLES = 1000
BOUNDS = (0.025, 0.975)


def draws(n: int, seed: int = 0) -> np.ndarray:
    """(RESAMPLES, n): indices of n items drawn with replacement."""
    return np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))


def mean_interval(
    sums: np.ndarray, counts: np.ndarray, groups: np.ndarray | None = None
) -> tuple[float, float]:
    """Interval of `group_mean` over items (n,), drawn whole; without groups there is one."""
    index = draws(len(sums))  # (RESAMPLES, n)
    groups = np.zeros(len(sums)) if groups is None else groups
    low, high = np.quantile(group_mean(sums[index], counts[index], groups[index]), BOUNDS)
    return float(low), float(high)


def group_mean(sums: np.ndarray, counts: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(...): mean over groups of sum / count of items (..., n); an empty group does not count."""
    means = []
    for group in np.unique(groups):
        inside = groups == group
        total, number = (sums * inside).sum(axis=-1), (counts * inside).sum(axis=-1)
        means.append(np.divide(total, number, out=np.full_like(total, np.nan), where=number > 0))
    return np.nanmean(means, axis=0)


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """Interval of the median of values (n,)."""
    low, high = np.quantile(np.median(values[draws(len(values))], axis=1), BOUNDS)
    return float(low), float(high)

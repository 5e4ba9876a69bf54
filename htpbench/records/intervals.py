"""Seeded bootstrap intervals, 95 %: over clips for errors, over rounds for times."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

RESAMPLES = 1000
HELD = 10**6  # numbers drawn at a time: a long list must not fill the memory
BOUNDS = (0.025, 0.975)


def draws(n: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Indices of n items drawn with replacement, RESAMPLES times: (some, n) at a time."""
    rng, left = np.random.default_rng(seed), RESAMPLES
    while left:
        some = min(left, max(HELD // n, 1))
        yield rng.integers(n, size=(some, n))
        left -= some


def mean_interval(
    sums: np.ndarray, counts: np.ndarray, groups: np.ndarray | None = None
) -> tuple[float, float]:
    """Interval of `group_mean` over items (n,), drawn whole; without groups there is one."""
    groups = np.zeros(len(sums)) if groups is None else groups
    means = [group_mean(sums[index], counts[index], groups[index]) for index in draws(len(sums))]
    low, high = np.quantile(np.concatenate(means), BOUNDS)
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
    medians = [np.median(values[index], axis=1) for index in draws(len(values))]
    low, high = np.quantile(np.concatenate(medians), BOUNDS)
    return float(low), float(high)

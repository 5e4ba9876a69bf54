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
    """Interval of sum / count over items (n,), drawn whole; with groups (n,) of their mean.

    A group that a draw left out does not count in that draw.
    """
    index = draws(len(sums))
    groups = np.zeros(len(sums)) if groups is None else groups
    means = []
    for group in np.unique(groups):
        inside = groups == group
        drawn = (counts * inside)[index].sum(axis=1)  # (RESAMPLES,)
        total = (sums * inside)[index].sum(axis=1)
        means.append(np.divide(total, drawn, out=np.full(RESAMPLES, np.nan), where=drawn > 0))
    low, high = np.quantile(np.nanmean(means, axis=0), BOUNDS)
    return float(low), float(high)


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """Interval of the median of values (n,)."""
    low, high = np.quantile(np.median(values[draws(len(values))], axis=1), BOUNDS)
    return float(low), float(high)

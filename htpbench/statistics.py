"""Seeded bootstrap intervals, 95 %: over clips for errors, over rounds for times."""

from __future__ import annotations

import numpy as np

RESAMPLES = 1000
BOUNDS = (0.025, 0.975)


def draws(n: int, seed: int = 0) -> np.ndarray:
    """(RESAMPLES, n): indices of n items drawn with replacement."""
    return np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))


def mean_interval(sums: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Interval of sum / count over groups (n,): members of a group stay together."""
    index = draws(len(sums))
    low, high = np.quantile(sums[index].sum(axis=1) / counts[index].sum(axis=1), BOUNDS)
    return float(low), float(high)


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """Interval of the median of values (n,)."""
    low, high = np.quantile(np.median(values[draws(len(values))], axis=1), BOUNDS)
    return float(low), float(high)

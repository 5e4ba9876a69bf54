"""Seeded bootstrap intervals of medians, 95 %: over the rounds of a clock."""

from __future__ import annotations

import numpy as np

RESAMPLES = 1000
BOUNDS = (0.025, 0.975)


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """Interval of the median of values (n,)."""
    index = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(np.median(values[index], axis=1), BOUNDS)
    return float(low), float(high)

"""How pruners choose positions, under the name that third parties import."""

from htpbench.network.positions import (
    density_peaks,
    distances,
    even_positions,
    published_pooling,
    top,
    with_kept,
)

__all__ = [
    "density_peaks",
    "distances",
    "even_positions",
    "published_pooling",
    "top",
    "with_kept",
]

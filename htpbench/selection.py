"""How pruners choose positions, under the name that third parties import."""

from htpbench.network.positions import density_peaks, even_positions, top, with_kept

__all__ = ["density_peaks", "even_positions", "top", "with_kept"]

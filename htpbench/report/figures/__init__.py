"""Figures, one file each; the same table gives the same bytes."""

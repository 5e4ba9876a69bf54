"""Training: the loop, its draws, its state, its scores, and recipes as data."""

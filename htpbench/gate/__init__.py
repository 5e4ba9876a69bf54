"""The gate: what is measured now against what was pinned."""

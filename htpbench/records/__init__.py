"""Rows: every number with its conditions, which of them may be compared, and what follows."""

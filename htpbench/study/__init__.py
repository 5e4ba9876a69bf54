"""What to measure: studies, their search spaces and constraints."""

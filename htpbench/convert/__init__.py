"""Official checkpoints brought in: read without running them, renamed, checked, written."""

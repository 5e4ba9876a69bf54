"""Tables and figures, made from rows and nothing else."""

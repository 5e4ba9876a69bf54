"""What the scheme of MPI-INF-3DHP reads: its two files, and which of two truths they hold."""

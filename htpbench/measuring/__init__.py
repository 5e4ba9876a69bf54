"""What meters measure with: data and networks of a study, clocks, counters, errors of poses."""

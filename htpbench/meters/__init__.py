"""Meters: lifters in, measurements out; one file each."""

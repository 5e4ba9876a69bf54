"""Skeletons of a window in a row, as a picture; the same tracks give the same bytes."""

import contextlib
from pathlib import Path

# Matplotlib obeys, or stumbles over, a matplotlibrc of the folder where it is first imported.
with contextlib.chdir(Path(__file__).parent):
    import matplotlib  # noqa: F401

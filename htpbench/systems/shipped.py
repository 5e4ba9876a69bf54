"""Where the shipped data lies: beside the package in a clone, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def data_folder() -> Path:
    """The folder that holds `baselines/` and `studies/`."""
    package = Path(__file__).parents[1]
    for folder in (package / "_data", package.parent):
        if (folder / "baselines").is_dir() and (folder / "studies").is_dir():
            return folder
    raise FileNotFoundError(f"baselines/ and studies/ are missing beside {package}; reinstall")

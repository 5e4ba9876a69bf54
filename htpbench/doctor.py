"""`doctor`: whether this installation can do its work, and what is missing."""

from __future__ import annotations

import importlib.metadata
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from rich.markup import escape
from rich.table import Table

from htpbench import study, weights
from htpbench.environment import environment
from htpbench.errors import BenchError

PACKAGES = ("torch", "fvcore", "ptflops", "optuna", "pandas", "seaborn", "numpy")


def examine(results: Path) -> tuple[Table, bool]:
    """The findings, and whether all of them are well."""
    table, healthy = Table("check", "finding", "state"), True
    checks: list[tuple[str, Callable[[], str]]] = [
        ("machine", machine),
        ("packages", packages),
        ("GPU", gpu),
        ("studies", lambda: ", ".join(study.load(name).name for name in study.names())),
        ("weights", shipped_weights),
        ("results", lambda: writable(results)),
    ]
    for name, check in checks:
        try:
            table.add_row(name, escape(check()), "ok")
        except BenchError as error:
            table.add_row(name, escape(str(error)), "[red]wrong[/]")
            healthy = False
    return table, healthy


def machine() -> str:
    """The processor and how much of it torch uses."""
    facts = environment()
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['threads']} threads"


def packages() -> str:
    """Versions of the libraries that decide numbers."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)


def gpu() -> str:
    """The GPU that torch sees, if any."""
    if not torch.cuda.is_available():
        return "none; times are measured on the CPU"
    return torch.cuda.get_device_name(0)


def shipped_weights() -> str:
    """Every shipped file must load."""
    for path in weights.shipped().values():
        weights.read(path)
    return ", ".join(weights.shipped()) or "none"


def writable(folder: Path) -> str:
    """Rows can be written here."""
    nearest = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return f"{os.fspath(folder)} can be written"
    except OSError as error:
        raise BenchError(
            f"{folder} cannot be written ({error.strerror}); choose another with --results"
        ) from error

"""`doctor`: whether this installation can do its work, and what is missing.

Each check imports what it needs, so that a package that is broken fails its own check alone.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from htpbench.errors import BenchError

PACKAGES = ("torch", "fvcore", "ptflops", "optuna", "pandas", "seaborn", "numpy", "scipy")
LEAST_FREE = 2**27  # bytes: the rows, tables and figures of some studies


def examine(results: Path) -> tuple[Table, bool]:
    """The findings, and whether all of them are well."""
    table, healthy = Table("check", "finding", "state"), True
    checks: list[tuple[str, Callable[[], str]]] = [
        *((name, lambda name=name: package(name)) for name in PACKAGES),
        ("processor", processor),
        ("load", load),
        ("GPU", gpu),
        ("studies", studies),
        ("weights", shipped_weights),
        ("results", lambda: writable(results)),
        ("disk", lambda: free(results)),
    ]
    for name, check in checks:
        try:
            table.add_row(name, escape(check()), "ok")
        except Exception as error:  # a broken installation fails in any way
            said = (
                str(error) if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"
            )
            table.add_row(name, escape(said), "[red]wrong[/]")
            healthy = False
    return table, healthy


def package(name: str) -> str:
    """The version of a library that decides numbers, once it can be imported."""
    try:
        importlib.import_module(name)
        return importlib.metadata.version(name)
    except (Exception, SystemExit) as error:  # also one that is there and half broken
        raise BenchError(
            f"cannot be imported: {type(error).__name__}: {error}; install it anew, for example "
            f"python -m pip install --force-reinstall {name}"
        ) from error


def processor() -> str:
    """The processor and how much of it torch uses."""
    from htpbench.measuring.environment import environment

    facts = environment()
    return f"{facts['cpu']}, {facts['cores']} cores, {facts['threads']} threads"


def load() -> str:
    """How busy the machine is; times need an idle one."""
    if not hasattr(os, "getloadavg"):
        return "not told by this system"
    busy, cores = os.getloadavg()[0], os.cpu_count() or 1
    return f"{busy:.1f} on {cores} cores" + ("; wait before time is measured" * (busy > cores / 2))


def gpu() -> str:
    """The GPU that torch sees, if any."""
    import torch

    if not torch.cuda.is_available():
        return "none; times are measured on the CPU"
    return torch.cuda.get_device_name(0)


def studies() -> str:
    """Every shipped study must load."""
    from htpbench.study import loading

    return ", ".join(loading.load(name).name for name in loading.names())


def shipped_weights() -> str:
    """Every shipped file must load."""
    from htpbench.network import weights

    for path in weights.shipped().values():
        weights.read(path)
    return ", ".join(weights.shipped()) or "none"


def nearest(folder: Path) -> Path:
    """The folder, or the first above it that exists."""
    return next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())


def writable(folder: Path) -> str:
    """Rows can be written here."""
    try:
        with tempfile.TemporaryFile(dir=nearest(folder)):
            return f"{os.fspath(folder)} can be written"
    except OSError as error:
        raise BenchError(
            f"{folder} cannot be written ({error.strerror}); choose another with --results"
        ) from error


def free(folder: Path) -> str:
    """There is room for rows."""
    left = shutil.disk_usage(nearest(folder)).free
    if left < LEAST_FREE:
        raise BenchError(f"{left / 2**20:.0f} MiB free; make room, or choose another --results")
    return f"{left / 2**30:.1f} GiB free"

"""A lifter as a file of torch.export."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from htpbench.exporting.plain import traced
from htpbench.network.lifter import Lifter
from htpbench.outside.drafts import draft


def write(lifter: Lifter, path: Path, told: Mapping[str, str]) -> None:
    """Write a lifter and what is told of it (`extra_files`) to one file."""
    with draft(path) as file:
        torch.export.save(traced(lifter), file, extra_files=dict(told))


def opened(path: Path) -> Callable[..., tuple[Tensor, ...]]:
    """A file as a call."""
    return torch.export.load(path).module()

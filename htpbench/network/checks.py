"""What a pruner returns, looked at before it is used: its shape at every pass, all of it once.

A pass reads no value: on CUDA that would wait for the device, within what is timed. Values are read
when a lifter is built, on clips that are drawn for it, and by the meters when a pass is over.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from traceback import extract_tb

import torch
from torch import Tensor

from htpbench.errors import Faulty, TimedOut
from htpbench.network.contracts import Pruner, View
from htpbench.systems.registry import PRUNERS

SHOWN = 12  # positions in a message


def check(positions: object, kept: Tensor, r: int, pruner: object) -> None:
    """Faulty for anything but (B, r) int64 on the device of `kept` (B, n); no value is read."""
    shape = (kept.shape[0], r)
    found = "None" if positions is None else f"a {type(positions).__qualname__}"
    if isinstance(positions, Tensor):
        kind = positions.dtype, positions.device, tuple(positions.shape)
        if kind == (torch.int64, kept.device, shape):
            return
        sizes = [*map(int, positions.shape)]  # tensors where a pass is traced
        found = f"{positions.dtype} of shape {sizes} on {positions.device}"
    raise Faulty(
        f"{name(pruner)} returned {found}; expected positions (B, r): torch.int64 of shape "
        f"{[*shape]} on {kept.device}"
    )


def check_values(positions: Tensor, n: int, keep: Tensor | None, pruner: object) -> None:
    """Faulty unless (B, r) positions of n frames rise, each once, with `keep` (B,) among them."""
    ordered = positions.sort(dim=1).values
    faults = {
        f"positions outside 0 to {n - 1}": (ordered[:, 0] < 0) | (ordered[:, -1] >= n),  # (B,)
        "a position twice": (ordered.diff(dim=1) == 0).any(dim=1),
        "positions that do not rise": (ordered != positions).any(dim=1),
    }
    if keep is not None:
        lost = (positions != keep[:, None]).all(dim=1)
        faults["positions without the centre frame, view.keep"] = lost
    for fault, clips in faults.items():
        if clips.any():
            row = positions[int(clips.int().argmax())].tolist()
            shown = ", ".join(map(str, row[:SHOWN])) + ", ..." * (len(row) > SHOWN)
            raise Faulty(f"{name(pruner)} returned {fault}: {shown}")


def name(pruner: object) -> str:
    """As combinations spell it, or the class of one that comes with a distribution."""
    own = (name for name, cls in PRUNERS.registered.items() if cls is type(pruner))
    return f"the pruner {next(own, type(pruner).__name__)}"


def tried(pruner: Pruner | None, view: View, r: int) -> Tensor:
    """(B, r): what is selected of a view; Faulty where that is another thing the second time.

    The view gets an attention that any block could have, whether its parameters are here or not.
    """
    view = replace(view, attention=lambda tokens: tokens.mean(dim=(2, 3)).softmax(dim=1))
    given = {
        field.name: (value, value.clone())
        for field in fields(view)
        if isinstance(value := getattr(view, field.name), Tensor)
    }
    first = selected(pruner, view, r)
    for field, (value, before) in given.items():
        if not value.equal(before):
            raise Faulty(f"{name(pruner)} changes view.{field} in place; work on a copy: clone()")
    if not selected(pruner, view, r).equal(first):
        raise Faulty(f"{name(pruner)} returned other positions when asked again; draw from a seed")
    return first


def selected(pruner: Pruner | None, view: View, r: int) -> Tensor:
    """(B, r): one selection, checked; what goes wrong in it is told with its line."""
    try:
        positions = pruner.select(view, r)  # type: ignore[union-attr]
    except (TimedOut, MemoryError):
        raise
    except Exception as error:  # the code is the user's, whatever goes wrong in it
        library = str(Path(torch.__file__).parent)
        frames = [f for f in extract_tb(error.__traceback__) if not f.filename.startswith(library)]
        where = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}"
        said = f"{type(error).__name__}: {error}"
        raise Faulty(f"{name(pruner)} failed ({where}): {said}") from error
    check(positions, view.kept, r, pruner)
    check_values(positions, view.kept.shape[1], view.keep, pruner)
    return positions

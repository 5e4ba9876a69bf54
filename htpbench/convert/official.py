"""What an official checkpoint holds: the state dict in it, by names that can be parameters."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from htpbench.convert import archive, flat, keras
from htpbench.convert.pickled import OPAQUE, Stored
from htpbench.errors import BenchError

CONTAINERS = ("model_pos", "model", "state_dict")
# What DataParallel, torch.compile and a module around the network put before every key.
PREFIXES = ("module.", "_orig_mod.", "model.", "model_pos.", "net.", "network.")
LONGEST = 300  # characters of a key, and of a line in a message
MOST_KEYS = 2**14  # MotionAGFormer-L: 1,725
LISTED = 30  # keys of one kind in a message


@dataclass(frozen=True)
class Official:
    """The state dict of a checkpoint, its keys without the prefixes that all of them share."""

    path: Path
    container: str  # "" for a bare state dict
    prefix: str
    state: dict[str, Stored]

    @property
    def layout(self) -> str:
        """How the file holds its keys."""
        place = f"under {self.container}" if self.container else "bare"
        return f"{place}, keys with {self.prefix}" if self.prefix else place


def reader(path: Path) -> ModuleType:
    """What reads a kind of file: `contents` and `tensors`."""
    return {".safetensors": flat, ".h5": keras}.get(path.suffix, archive)


def read(path: Path) -> Official:
    """The state dict of a checkpoint in one of the layouts that official ones have."""
    if not os.path.isfile(path):
        raise BenchError(f"{path}: no such file")
    content = reader(path).contents(path)
    found = content if type(content) is dict else {}
    containers = [name for name in CONTAINERS if type(found.get(name)) is dict]
    state = found[containers[0]] if len(containers) == 1 else found
    strangers = [
        quoted(key)
        for key, value in state.items()
        if type(value) is not Stored or not parameter(key)
    ]
    if strangers or not 0 < len(state) <= MOST_KEYS:
        raise BenchError(
            f"{path}: expected 1 to {MOST_KEYS} tensors and nothing else, bare or under one of "
            f"{', '.join(CONTAINERS)}, their names below {LONGEST} characters; found"
            + (listed(strangers) if strangers else f" {len(state) or 'none'}")
        )
    prefix = shared_prefix(state)
    state = {key.removeprefix(prefix): value for key, value in state.items()}
    return Official(path, "".join(containers), prefix, state)


def parameter(key: Any) -> bool:
    """Whether a key can be the name of a parameter."""
    return type(key) is str and len(key) < LONGEST and key.isprintable()


def quoted(key: Any) -> str:
    """A key in a message, of which there may be megabytes."""
    if key is OPAQUE:
        return "a key that is no text"
    whole = type(key) is not str or len(key) < LONGEST
    return repr(key) if whole else f"{key[:30]!r}... of {len(key)} characters"


def shared_prefix(keys: Iterable[str]) -> str:
    """The known prefixes, in any order and number, that stand before every key."""
    keys = list(keys)
    for one in PREFIXES:
        if all(key.startswith(one) and key != one for key in keys):
            return one + shared_prefix(key.removeprefix(one) for key in keys)
    return ""


def listed(lines: Sequence[str], count: int | None = None) -> str:
    """How many there are, and the first of them, one a line."""
    count = len(lines) if count is None else count
    shown = [line[:LONGEST] for line in lines[:LISTED]]
    more = [f"... and {count - len(shown)} more"] * (count > len(shown))
    return f" ({count}):" + "".join(f"\n  {line}" for line in shown + more)

"""Numbers of frames, out of the names of their pictures or files."""

from __future__ import annotations

import re
from collections.abc import Iterable

from htpbench.errors import BenchError

NUMBER = re.compile(r"(.*?)(\d{1,15})(\D*)", re.S)  # the last one in a name


def numbered(names: Iterable[str]) -> dict[str, int]:
    """The number in each name of one video's frames; BenchError where there are two videos.

    A single name needs no number: it is frame 0.
    """
    names = list(names)
    found = {name: NUMBER.fullmatch(name) for name in names}
    if None in found.values():
        if len(names) == 1:
            return {names[0]: 0}
        without = next(name for name, one in found.items() if one is None)
        raise BenchError(
            f"{without!r:.80} has no number of a frame; expected names as walk_0012 of one video"
        )
    parts = {(one[1], one[3]) for one in found.values() if one}
    if len(parts) > 1:
        told = ", ".join(repr(f"{a}N{b}"[:60]) for a, b in sorted(parts)[:3])
        raise BenchError(
            f"frames of {len(parts)} videos are in it ({told}); expected one: keep one apart"
        )
    numbers = {name: int(one[2]) for name, one in found.items() if one}
    if len(set(numbers.values())) < len(numbers):
        raise BenchError("two names have the same number of a frame; expected each once")
    return numbers


def stem(name: str) -> str:
    """The name of a picture without its ending."""
    before, dot, ending = name.rpartition(".")
    return before if dot and ending.isalnum() and not ending.isdigit() else name

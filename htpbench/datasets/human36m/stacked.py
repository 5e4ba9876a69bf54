"""Frames of many videos end to end, as MotionBERT's pickle has those of Human3.6M.

Arrays stay as the file has them: what a video holds is cut out when it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from htpbench.datasets.human36m.facts import ACTIONS, FIRST_NUMBER, sizes, spelt
from htpbench.errors import BenchError
from htpbench.motion.clip import Take

SOURCE = re.compile(r"(s_(\d\d)_act_(\d\d)_subact_(\d\d))_(ca_\d\d)", re.ASCII)
# key: shape of a frame
EVERY: dict[str, tuple[int, ...] | None] = {
    "joint_2d": (17, 2),
    "joint3d_image": (17, 3),
    "camera_name": None,
    "source": None,
}
SCORED: dict[str, tuple[int, ...] | None] = {
    "action": None,
    "2.5d_factor": (),
    "joints_2.5d_image": (17, 3),
}
CONFIDENCE = {"confidence": (17,)}
SHAPES = EVERY | SCORED | CONFIDENCE
MOST_CHARACTERS = 100  # of a name
USUAL = (1000, 1000)  # px: images of a camera whose name is not known


@dataclass(frozen=True, eq=False)
class Part:
    """One video: the frames start:stop of a split, by one camera (`lens`, of images of `size`)."""

    take: Take
    lens: str
    size: tuple[int, int]
    start: int
    stop: int


class Stacked:
    """A split's columns, one entry a frame, and the `parts` that they consist of.

    BenchError names a column that is missing, or that is not as long as the others.
    """

    def __init__(self, columns: Any, split: Literal["train", "test"]) -> None:
        wanted = EVERY | SCORED if split == "test" else EVERY
        held = list(columns) if isinstance(columns, dict) else []
        if missing := [key for key in wanted if key not in held]:
            found = ", ".join(map(str, held))[:200] or "nothing"
            raise BenchError(f"{split} lacks {', '.join(missing)}; found {found}")
        keys = [*wanted, *(key for key in CONFIDENCE if key in held)]
        self.split, self.columns = split, {key: columns[key] for key in keys}
        lengths = {key: length(column) for key, column in self.columns.items()}
        if None in lengths.values() or len({*lengths.values()}) > 1 or not lengths["source"]:
            said = ", ".join(f"{key} {count}" for key, count in lengths.items())
            raise BenchError(f"{split} has columns of lengths {said}; expected one entry a frame")
        self.parts = parts(self.columns, split)
        for key in ("source", "camera_name", "action"):  # millions of texts, which `parts` tell
            self.columns.pop(key, None)

    def cut(self, key: str, part: Part) -> np.ndarray:
        """(n, *SHAPES[key]) float64: a column's frames of a video."""
        shape = SHAPES[key]
        assert shape is not None
        try:
            found = np.asarray(self.columns[key][part.start : part.stop], dtype=np.float64)
        except (TypeError, ValueError, OverflowError):  # lists of what are no numbers
            found = np.empty(0)
        expected = (part.stop - part.start, *shape)
        if found.shape != expected and found.shape != (*expected, 1):
            raise BenchError(
                f"{self.split}, {part.take.name}_{part.lens}: {key} holds no numbers of shape "
                f"{expected}; found {found.shape}"
            )
        return found.reshape(expected)


def length(column: Any) -> int | None:
    """How many frames a column has; None for what is none."""
    listed = isinstance(column, list | tuple) or (isinstance(column, np.ndarray) and column.ndim)
    return len(column) if listed else None


def parts(columns: Mapping[str, Any], split: Literal["train", "test"]) -> list[Part]:
    """The videos of a split in the order of the file: a change of `source` begins another.

    All videos of a take share one Take.
    """
    takes: dict[str, Take] = {}
    found = []
    of_lens, edges = sizes(), borders(columns["source"])
    for start, stop in pairwise(edges):
        source = word(columns["source"][start])
        if (said := SOURCE.fullmatch(source)) is None:
            raise BenchError(
                f"{split} has the source {source!r:.60}; expected such as "
                "'s_09_act_05_subact_02_ca_01'"
            )
        name, subject, number, trial, lens = said.groups()
        if name not in takes:
            action = named(columns["action"][start] if "action" in columns else int(number))
            takes[name] = Take(name, f"S{int(subject)}", action, split, trial=str(int(trial)))
        size = of_lens.get(word(columns["camera_name"][start]), USUAL)
        found.append(Part(takes[name], lens, size, start, stop))
    return found


def borders(sources: Sequence[Any] | np.ndarray) -> list[int]:
    """Where videos begin, and the end of the last one."""
    if isinstance(sources, np.ndarray):
        if sources.ndim > 1:
            raise BenchError(f"source has the shape {sources.shape}; expected one text a frame")
        changes = (np.flatnonzero(sources[1:] != sources[:-1]) + 1).tolist()
    else:
        if not all(isinstance(source, str | bytes) for source in sources):
            raise BenchError("source holds what is no text; expected one text a frame")
        changes = [i for i, (one, two) in enumerate(pairwise(sources), start=1) if one != two]
    return [0, *changes, len(sources)]


def named(action: Any) -> str:
    """The name of an action that is told by name or by number."""
    text = word(action)
    if re.fullmatch(r"\d{1,2}", text, re.ASCII):
        number = int(text) - FIRST_NUMBER
        if not 0 <= number < len(ACTIONS):
            last = FIRST_NUMBER + len(ACTIONS) - 1
            raise BenchError(
                f"action {text}; expected a name or a number from {FIRST_NUMBER} to {last}"
            )
        return ACTIONS[number]
    return spelt(text)


def word(value: Any) -> str:
    """A text as text: it may be bytes, or a number; BenchError for any other, and for controls."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("latin1")
    elif isinstance(value, int) and abs(value) < 1e9:
        value = str(value)
    if not isinstance(value, str) or len(value) > MOST_CHARACTERS or not value.isprintable():
        said = f"{value!r:.60}" if isinstance(value, str) else f"a {type(value).__name__}"
        raise BenchError(f"found {said}; expected the name of a source, a camera or an action")
    return value

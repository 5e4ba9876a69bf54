"""BVH: a tree of joints, and for each frame the channels that move them.

The file comes from elsewhere, so nothing in it is trusted: what a line may hold is bounded, and
what the header claims is held against a limit before memory is taken for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO, TypeVar

import numpy as np

from htpbench.errors import BenchError
from htpbench.outside import files

MOST_BYTES = 2**27  # of a file; the longest recordings of CMU take 20 MB
MOST_CHARACTERS = 2**18  # of a line
MOST_NODES = 1000
MOST_PLACES = 2**22  # frames times nodes: 15 minutes of 38 nodes at 120 Hz
ALWAYS_PLACES = 2**18  # that any file may have; more only if it is as large: one for each byte
MOST_NUMBER = 1e6  # of an offset or a channel
CHANNELS = [f"{axis}{kind}" for kind in ("position", "rotation") for axis in "xyz"]
REMEDY = "mend that line or export the file again"

Statements = Iterator[tuple[int, list[str]]]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, eq=False)
class Recording:
    """J nodes, parents before children, and T frames of channels, both in the order of the file.

    An end site is a node without channels, named after its parent plus "_end". `channels` holds the
    numbers into CHANNELS of each node. Lengths have the unit of the file, angles are degrees.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]  # -1: the root
    offsets: np.ndarray  # (J, 3)
    channels: tuple[tuple[int, ...], ...]
    values: np.ndarray  # (T, channels of all nodes)
    frame_time: float  # s, as the header says

    def scaled(self, factor: float) -> Recording:
        """The same with all lengths multiplied."""
        moves = np.concatenate([[channel < 3 for channel in each] for each in self.channels])
        values = np.where(moves, factor * self.values, self.values)
        return replace(self, offsets=factor * self.offsets, values=values)


def parse(path: Path) -> Recording:
    """The recording in a BVH file; BenchError that names the file and the line at fault."""
    size = files.checked(path).stat().st_size
    try:
        if size > MOST_BYTES:
            raise BenchError(f"{size} bytes; expected at most {MOST_BYTES}; cut it into pieces")
        with path.open(encoding="utf-8-sig") as file:
            statements = _statements(file)
            names, parents, offsets, channels = _hierarchy(statements)
            most = min(MOST_PLACES, ALWAYS_PLACES + size) // len(names)
            values, frame_time = _motion(statements, most, sum(map(len, channels)))
    except BenchError as fault:
        raise BenchError(f"{path}: {fault}") from None
    except UnicodeDecodeError:
        raise BenchError(f"{path}: not text; expected a BVH file; export it again") from None
    except OSError as fault:
        raise BenchError(f"{path}: cannot be read ({fault.strerror}); check the path") from fault
    return Recording(names, parents, offsets, channels, values, frame_time)


def positions(recording: Recording, added: bool = True) -> np.ndarray:
    """Where all nodes are, (T, J, 3), in the unit and the axes of the file.

    The root's position channels are added to its offset, or replace it; below the root they replace
    it, unless they are 0 throughout. Rotations multiply in the order of the channels, R = Rz Ry Rx
    for "Zrotation Yrotation Xrotation", which each joint has of its own.
    """
    placed = np.empty((len(recording.values), len(recording.names), 3))
    turns: list[
        np.ndarray
    ] = []  # of each node in the world: (T, 3, 3), or (3, 3) if it never turns
    columns = iter(recording.values.T)  # (T,) each
    for node, (parent, channels) in enumerate(
        zip(recording.parents, recording.channels, strict=True)
    ):
        spot, turn = recording.offsets[node], np.eye(3)
        moved = [(channel, next(columns)) for channel in channels]
        moves = any(column.any() for channel, column in moved if channel < 3)
        if moves and (parent >= 0 or not added):
            spot = spot * ~np.isin(np.arange(3), channels)  # an axis without a channel stays
        for channel, column in moved:
            if channel < 3:
                spot = spot + column[:, None] * np.eye(3)[channel]  # (T, 3)
            else:
                turn = turn @ _rotation(channel - 3, column)  # (T, 3, 3)
        if parent >= 0:
            spot = placed[:, parent] + (turns[parent] @ spot[..., None])[..., 0]
            turn = turns[parent] @ turn
        placed[:, node] = spot
        turns.append(turn)
    return placed


def _rotation(axis: int, degrees: np.ndarray) -> np.ndarray:
    """Right-handed turns (T, 3, 3) about axis 0, 1 or 2."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    second, third = (axis + 1) % 3, (axis + 2) % 3
    turn = np.zeros((len(degrees), 3, 3))
    turn[:, axis, axis] = 1
    turn[:, second, second] = turn[:, third, third] = cosine
    turn[:, third, second] = sine
    turn[:, second, third] = -sine
    return turn


def _statements(file: TextIO) -> Statements:
    """Line numbers and words of all that is written, each brace apart; no words at the end."""
    number = 0
    while line := file.readline(MOST_CHARACTERS + 1):
        number += 1
        if len(line) > MOST_CHARACTERS:
            raise _fault(number, [line], f"at most {MOST_CHARACTERS} characters in a line")
        for part in re.split("([{}])", line):
            if words := part.split():
                yield number, words
    while True:
        yield number, []


def _fault(number: int, words: list[str], expected: str) -> BenchError:
    found = repr(" ".join(words)[:40]) if words else "the end of the file"
    return BenchError(f"line {number}: found {found}; expected {expected}; {REMEDY}")


def _hierarchy(statements: Statements) -> tuple[tuple, tuple, np.ndarray, tuple]:
    """Names, parents, offsets (J, 3) and channels of the nodes."""
    number, words = next(statements)
    if " ".join(words).upper() != "HIERARCHY":
        raise _fault(number, words, "HIERARCHY, the first word of a BVH file")
    nodes: dict[str, int] = {}  # name: number
    parents, offsets, channels = [], [], []
    opened = [-1]  # the joints whose braces are open, the root first
    while not nodes or len(opened) > 1:
        number, words = next(statements)
        kind, name = " ".join(words[:1]).upper(), " ".join(words[1:])
        if kind == "}" and nodes:
            opened.pop()
            continue
        end = kind == "END" and nodes
        if not end and kind != ("JOINT" if nodes else "ROOT"):
            raise _fault(number, words, "JOINT, End Site or }" if nodes else "ROOT")
        if end:
            name = f"{list(nodes)[opened[-1]]}_end"
        if not name or name in nodes or len(nodes) == MOST_NODES:
            raise _fault(number, words, f"a name of its own, of {MOST_NODES} nodes at most")
        offset, moves = _body(statements, bool(end))
        parents.append(opened[-1])
        offsets.append(offset)
        channels.append(moves)
        if not end:
            opened.append(len(nodes))
        nodes[name] = len(nodes)
    return tuple(nodes), tuple(parents), np.array(offsets), tuple(channels)


def _body(statements: Statements, end: bool) -> tuple[list[float], tuple[int, ...]]:
    """Offset and channels of a node; of an end site also the closing brace."""
    number, words = next(statements)
    if words != ["{"]:
        raise _fault(number, words, "{")
    number, words = next(statements)
    if " ".join(words[:1]).upper() != "OFFSET":
        raise _fault(number, words, "OFFSET and 3 numbers")
    offset = _numbers(number, words[1:], 3)
    number, words = next(statements)
    if end:
        if words != ["}"]:
            raise _fault(number, words, "} after the OFFSET of an End Site")
        return offset, ()
    kinds = [word.lower() for word in words[2:]]
    if (
        " ".join(words[:1]).upper() != "CHANNELS"
        or words[1:2] != [str(len(kinds))]
        or len(kinds) > len(CHANNELS)
        or not set(kinds) <= set(CHANNELS)
    ):
        raise _fault(
            number, words, f"CHANNELS, their number and their names: {', '.join(CHANNELS)}"
        )
    return offset, tuple(CHANNELS.index(kind) for kind in kinds)


def _motion(statements: Statements, most: int, width: int) -> tuple[np.ndarray, float]:
    """Values (T, `width`) of `most` frames at most, and the frame time in seconds."""
    number, words = next(statements)
    if " ".join(words).upper() != "MOTION":
        raise _fault(number, words, "MOTION after the last }")
    number, frames = _labelled(statements, "Frames", int)
    if not 0 < frames <= most:
        raise _fault(
            number,
            ["Frames:", str(frames)],
            f"1 to {most} frames, by the nodes and the size of the file",
        )
    number, frame_time = _labelled(statements, "Frame Time", float)
    if not 0.001 <= frame_time <= 0.2:
        raise _fault(number, ["Frame Time:", str(frame_time)], "0.001 to 0.2 s")
    rows = []
    for _ in range(frames):
        number, words = next(statements)
        if not words:
            raise _fault(
                number, words, f"frame {len(rows) + 1} of the {frames} that Frames: claims"
            )
        rows.append(np.array(_numbers(number, words, width)))
    number, words = next(statements)
    if words:
        raise _fault(number, words, f"nothing after the {frames} frames that Frames: claims")
    return np.stack(rows), frame_time


def _labelled(
    statements: Statements, label: str, kind: Callable[[str], Number]
) -> tuple[int, Number]:
    """Line number and value of "label: value"."""
    number, words = next(statements)
    found, _, value = " ".join(words).partition(":")
    try:
        if found.lower() == label.lower():
            return number, kind(value)
    except ValueError:
        pass
    raise _fault(number, words, f'"{label}:" and a number')


def _numbers(number: int, words: list[str], count: int) -> list[float]:
    """`count` finite numbers of a line."""
    try:
        if len(words) == count:
            values = [float(word) for word in words]
            if all(abs(value) <= MOST_NUMBER for value in values):  # NaN compares false
                return values
    except ValueError:
        pass
    raise _fault(number, words, f"{count} numbers within {MOST_NUMBER:.0e}, not {len(words)} words")

"""Poses as TRC: markers for OpenSim. One track, mm, y up.

What OpenSim asks of the head leaves one place for words: the name at the end of the first line,
which its reader and others skip.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

from htpbench.motion.skeleton import JOINTS
from htpbench.poses.track import Track
from htpbench.poses.words import FORMAT, RELATIVE, UNITS, UP, UPRIGHT, plain

FIRST = "PathFileType\t4\t(X/Y/Z)\t"
MOST_FIRST = 2**12  # bytes of the first line that are looked at
KEYS = (
    "DataRate",
    "CameraRate",
    "NumFrames",
    "NumMarkers",
    "Units",
    "OrigDataRate",
    "OrigDataStartFrame",
    "OrigNumFrames",
)


def write(file: IO[bytes], tracks: Sequence[Track]) -> str:
    """Write one track; nothing is left to say. Frames count from 1, as the format does."""
    (track,) = tracks
    rate, frames, start = f"{track.rate:.10g}", str(len(track.poses)), str(track.first + 1)
    values = (rate, rate, frames, str(len(JOINTS)), UNITS, rate, start, frames)
    words = f"{UNITS}; axes: {UPRIGHT}; relative to {RELATIVE}"
    axes = [f"{axis}{number}" for number in range(1, len(JOINTS) + 1) for axis in "XYZ"]
    head = [
        f"{FIRST}{FORMAT}; {words}; {plain(track.name)}",
        "\t".join(KEYS),
        "\t".join(values),
        "\t".join(["Frame#", "Time", "\t\t\t".join(JOINTS)]) + "\t\t",
        "\t".join(["", "", *axes]),
        "",
    ]
    file.write("".join(f"{line}\n" for line in head).encode())
    rows = (track.poses * UP).reshape(len(track.poses), -1) + 0.0  # (N, 51), without -0
    layout = "\t".join(["%d", "%.6f", *["%.3f"] * rows.shape[1]]) + "\n"
    for number, row in enumerate(rows.tolist(), track.first):
        file.write((layout % (number + 1, number / track.rate, *row)).encode())
    return ""


def ours(path: Path) -> bool:
    """Whether a file begins as those that are written here."""
    with path.open("rb") as file:
        return file.read(MOST_FIRST).startswith(f"{FIRST}{FORMAT};".encode())

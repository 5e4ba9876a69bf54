"""Poses as CSV: for spreadsheets and `pandas.read_csv(path, comment="#")`. A row a frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from htpbench.motion.skeleton import JOINTS
from htpbench.poses.track import Track
from htpbench.poses.words import AXES, FORMAT, RELATIVE, UNITS, plain, told_lines

FIRST = f"# {FORMAT}\n"  # by which a file of ours is known


def write(file: IO[bytes], tracks: Sequence[Track]) -> str:
    """Write tracks one below the other; nothing is left to say."""
    file.write(FIRST.encode())
    for line in about(tracks):
        file.write(f"# {line}\n".encode())
    columns = [f"{joint}_{axis}" for joint in JOINTS for axis in "xyz"]
    file.write(f"{','.join(['track', 'frame', 'seconds', *columns])}\n".encode())
    for track in tracks:
        name = plain(track.name).replace('"', '""').replace("%", "%%")
        layout = f'"{name}",%d,%.6f,' + ",".join(["%.2f"] * len(columns)) + "\n"
        flat = track.poses.reshape(len(track.poses), -1)
        rows = np.round(flat.astype(np.float64), 2) + 0.0  # (N, 51), without -0
        for number, row in enumerate(rows.tolist(), track.first):
            file.write((layout % (number, number / track.rate, *row)).encode())
    return ""


def about(tracks: Sequence[Track]) -> list[str]:
    """What the head says."""
    rates = {track.rate for track in tracks}
    if len(rates) == 1:
        told = [f"rate: {rates.pop():.10g} Hz"]
    else:
        told = [plain(f"rate of {track.name}: {track.rate:.10g} Hz") for track in tracks]
    lines = [f"units: {UNITS}", f"axes: {AXES}", f"relative to: {RELATIVE}", *told]
    return lines + told_lines(tracks)


def ours(path: Path) -> bool:
    """Whether a file begins as those that are written here."""
    with path.open("rb") as file:
        return file.read(len(FIRST)) == FIRST.encode()

"""MPI-INF-3DHP in P-STMO's layout: two files, told apart by what their sequences are called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.members import AGAIN, opened
from htpbench.outside import files

Split = Literal["train", "test"]
NAMES = {  # sequences of a split
    "train": re.compile(r"(S\d{1,2}) (Seq\d{1,2})", re.ASCII),
    "test": re.compile(r"(TS\d{1,2})", re.ASCII),
}
CAMERA = re.compile(r"\d{1,2}", re.ASCII)
SHAPES = {"data_2d": (17, 2), "data_3d": (17, 3)}
# Joint i of Human3.6M's 17 is this one of the file.
ORDER = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]
SLOWEST, FASTEST = 1.0, 1000.0  # frames a second
LAYOUT = "data_train_3dhp.npz or data_test_3dhp.npz, as P-STMO makes them"


@dataclass(frozen=True, eq=False)
class Seen:
    """A sequence by one camera, in the order of Human3.6M's 17 joints.

    `poses2d` (N, 17, 2): px. `poses3d` (N, 17, 3): camera axes, mm, absolute. `valid` (N,) bool.
    `rate`: frames a second; None: it is not recorded.
    """

    sequence: str
    camera: str
    poses2d: np.ndarray
    poses3d: np.ndarray
    valid: np.ndarray
    rate: float | None

    @property
    def size(self) -> tuple[int, int]:
        """Of the images, px."""
        return (1920, 1080) if self.sequence in ("TS5", "TS6") else (2048, 2048)


def read(path: Path) -> tuple[Split, list[Seen]]:
    """Which split a file holds, and what; BenchError that names it where it is none of the two."""
    with files.opened(path) as file:
        begun = file.read(10)
    if begun.startswith((b"\x89HDF", b"MATLAB")):  # version 7.3 begins with text too
        raise BenchError(
            f"{path}: is a file of MATLAB, as MPI-INF-3DHP is handed out; expected {LAYOUT}: "
            "convert it with its scripts"
        )
    try:
        with opened(path) as members:
            if "data" not in members.names:
                held = ", ".join(members.names)[:200] or "nothing"
                raise BenchError(f"lacks the member data and holds {held}; expected {LAYOUT}")
            return sequences(members.value("data"))
    except BenchError as fault:
        raise BenchError(f"{path}: {fault}") from fault.__cause__


def sequences(data: Any) -> tuple[Split, list[Seen]]:
    """What the member `data` holds."""
    names = list(data) if isinstance(data, dict) else []
    if names and all(NAMES["train"].fullmatch(str(name)) for name in names):
        return "train", [seen for name in names for seen in cameras(name, data[name])]
    if names and all(NAMES["test"].fullmatch(str(name)) for name in names):
        return "test", [one(name, name, data[name], None) for name in names]
    found = ", ".join(map(str, names))[:200] if names else type(data).__name__
    raise BenchError(f"data holds {found}; expected sequences such as 'S1 Seq1', or such as 'TS1'")


def cameras(name: str, held: Any) -> list[Seen]:
    """A sequence of training: [{camera: arrays}, frames a second]."""
    match held:
        case [dict() as views, int() | float() as rate] if SLOWEST <= rate <= FASTEST:
            named = {str(camera): arrays for camera, arrays in views.items()}
            if named and all(CAMERA.fullmatch(camera) for camera in named):
                return [one(name, camera, arrays, rate) for camera, arrays in named.items()]
    raise BenchError(f"{name!r} is not [{{'0': arrays of a camera, ...}}, frames a second]")


def one(name: str, camera: str, held: Any, rate: float | None) -> Seen:
    """A sequence by one camera."""
    wanted = [*SHAPES, "valid"] if rate is None else [*SHAPES]
    there = list(held) if isinstance(held, dict) else []
    where = name if camera == name else f"{name}, camera {camera}"
    if missing := [key for key in wanted if key not in there]:
        found = ", ".join(map(str, there))[:200] or "nothing"
        raise BenchError(f"{where} lacks {', '.join(missing)}; found {found}")
    poses2d, poses3d = (numbers(held[key], where, key) for key in SHAPES)
    valid = np.ones(len(poses3d), bool) if rate is not None else truths(held["valid"], where)
    if not len(poses2d) == len(poses3d) == len(valid) > 0:
        raise BenchError(
            f"{where} has {len(poses2d)} frames of 2D, {len(poses3d)} of 3D and {len(valid)} of "
            f"valid; expected as many of each; {AGAIN}"
        )
    return Seen(name, camera, poses2d[:, ORDER], poses3d[:, ORDER], valid, rate)


def numbers(held: Any, where: str, key: str) -> np.ndarray:
    """(N, 17, 2 or 3), one array or a list of them."""
    shape = SHAPES[key]
    if isinstance(held, list) and all(isinstance(each, np.ndarray) for each in held):
        held = np.stack(held) if len({each.shape for each in held}) == 1 else None
    if not isinstance(held, np.ndarray) or held.dtype.kind not in "fiu" or held.shape[1:] != shape:
        found = f"{held.dtype} {held.shape}" if isinstance(held, np.ndarray) else "no array"
        raise BenchError(f"{where}: {key} is {found}; expected numbers (frames, 17, {shape[1]})")
    return held if held.dtype.kind == "f" else held.astype(np.float64)


def truths(held: Any, where: str) -> np.ndarray:
    """(N,) bool, of 0 and 1."""
    each = held.reshape(-1).tolist() if isinstance(held, np.ndarray) else held
    if not isinstance(each, list) or any(
        not isinstance(one, bool | int | float) or one not in (0, 1) for one in each
    ):
        raise BenchError(f"{where}: valid is not 0 or 1 for each frame")
    return np.array(each, dtype=bool)

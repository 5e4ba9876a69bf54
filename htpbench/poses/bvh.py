"""Poses as BVH: for animation programs. One track, its bones of constant length, y up, mm.

The root stays in one place, above a floor at 0, for lifted poses are relative to it. Millimetres,
as in all other files of ours: whoever reads another unit scales, and nothing is scaled here twice.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from htpbench.motion.skeleton import JOINTS, PARENTS
from htpbench.poses.rigid import CHILDREN, Rigid, away, fitted
from htpbench.poses.track import Track

ARM = ("Shoulder", "Elbow", "Wrist")
# Joints without children, and where their bone ends, mm at rest: not measured, for the eye alone.
ENDS = {
    "RAnkle": (0, 0, 120),
    "LAnkle": (0, 0, 120),
    "Head": (0, 60, 0),
    "LWrist": (90, 0, 0),
    "RWrist": (-90, 0, 0),
}
# Order of the angles of each joint. The one in the middle must stay below 90 degrees, or the others
# leap: spine, hips and knees bend further than that about x, arms swing further about z.
ORDERS = ["ZXY" if name == "Hip" or name[1:] in ARM else "XZY" for name in JOINTS]
MOVES = "Xposition Yposition Zposition"
NUMBER = re.compile(r"-?\d+\.\d+")
MOST_HEAD = 2**13  # bytes of the hierarchy


def write(file: IO[bytes], tracks: Sequence[Track]) -> str:
    """Write one track; says how far the constant bones are from the poses as they were lifted."""
    (track,) = tracks
    body = fitted(track.poses)
    angles = degrees(body.local)  # (N, 17, 3)
    rows = angles.reshape(len(angles), -1) + 0.0  # (N, 51), without -0
    file.write("\n".join(hierarchy(body)).encode())
    file.write(f"\nMOTION\nFrames: {len(rows)}\nFrame Time: {1 / track.rate:.10g}\n".encode())
    layout = " ".join(["0.0000", f"{body.height:.4f}", "0.0000", *["%.4f"] * rows.shape[1]]) + "\n"
    for row in rows.tolist():
        file.write((layout % tuple(row)).encode())
    return (
        f"bones of constant length: joints are {away(body, track.poses):.1f} mm from the poses as "
        "lifted, on average"
    )


def ours(path: Path) -> bool:
    """Whether a file begins with the hierarchy that is written here, whatever its lengths."""
    with path.open("rb") as file:
        head = file.read(MOST_HEAD).decode(errors="replace").partition("\nMOTION\n")[0]
    nobody = Rigid(np.zeros((17, 3)), np.zeros((0, 17, 3, 3)), 0.0)
    return NUMBER.sub("", head) == NUMBER.sub("", "\n".join(hierarchy(nobody)))


def hierarchy(body: Rigid) -> list[str]:
    """The lines before MOTION."""
    lines = ["HIERARCHY"]
    opened: list[int] = []  # the joints whose braces are open
    for joint, parent in enumerate(PARENTS):
        while opened and opened[-1] != parent:
            lines.append("\t" * (len(opened) - 1) + "}")
            opened.pop()
        tab = "\t" * len(opened)
        turns = " ".join(f"{axis}rotation" for axis in ORDERS[joint])
        channels = f"3 {turns}" if opened else f"6 {MOVES} {turns}"
        lines += [
            f"{tab}{'JOINT' if opened else 'ROOT'} {JOINTS[joint]}",
            f"{tab}{{",
            f"{tab}\t{offset(body.offsets[joint])}",
            f"{tab}\tCHANNELS {channels}",
        ]
        if not CHILDREN[joint]:
            end = offset(ENDS[JOINTS[joint]])
            lines += [f"{tab}\tEnd Site", f"{tab}\t{{", f"{tab}\t\t{end}", f"{tab}\t}}"]
        opened.append(joint)
    return lines + ["\t" * depth + "}" for depth in reversed(range(len(opened)))]


def offset(numbers: Sequence[float] | np.ndarray) -> str:
    """The line of an offset."""
    x, y, z = (float(number) + 0.0 for number in numbers)
    return f"OFFSET {x:.4f} {y:.4f} {z:.4f}"


def degrees(turns: np.ndarray) -> np.ndarray:
    """(N, 17, 3, 3) -> (N, 17, 3): the angles of each joint in its order.

    They go on from frame to frame without a leap of 360, which programs would fill with a spin.
    """
    from scipy.spatial.transform import Rotation

    angles = np.empty(turns.shape[:3])
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # 90 degrees in the middle
        for joint, order in enumerate(ORDERS):
            angles[:, joint] = Rotation.from_matrix(turns[:, joint]).as_euler(order, degrees=True)
    return np.unwrap(angles, axis=0, period=360)

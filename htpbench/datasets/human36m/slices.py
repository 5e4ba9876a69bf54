"""Slices to train on, as the official codes cut them: MotionBERT's and MotionAGFormer's folders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion import arrays
from htpbench.motion.clip import Take
from htpbench.motion.filmed import Shot
from htpbench.outside import files

KEYS = ("data_input", "data_label")
WHOLE = "h36m_sh_conf_cam_source_final.pkl"  # what the slices are cut from
# Slices have screen units and do not say the size of images: they are px of one 2 px wide, from its
# middle.
SIZE = (2, 2)


class Slices:
    """FOLDER/train/00000000.pkl and so on, F frames each, with neither size nor factor nor action.

    Files are read when their shots are asked for, one after the other.
    """

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("train/*.pkl"))
        if not self.paths:
            held = ", ".join(path.name for path in files.listed(folder))[:200] or "nothing"
            raise BenchError(
                f"{folder}: there are no slices train/00000000.pkl and so on; found {held}"
            )
        self.frames = len(read(self.paths[0])[0])
        self.takes = tuple(Take(path.stem, "unknown", "unknown", "train") for path in self.paths)

    def shots(self, exact: bool) -> Iterator[Shot]:
        """One a slice; `exact`: the 2D of the label instead of the detections."""
        for path, take in zip(self.paths, self.takes, strict=True):
            seen, label = read(path)
            if len(label) != self.frames:
                raise BenchError(
                    f"{path}: {len(label)} frames; expected {self.frames} as in "
                    f"{self.paths[0].name}"
                )
            poses2d = label[..., :2] + 1 if exact else seen + np.array([1, 1, 0])
            yield Shot(take, "unknown", SIZE, poses2d, label, scale=np.ones(len(label)))


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Input and label of a slice, (F, 17, 3) float64: screen units and confidence, screen units."""
    held = arrays.load_file(path)
    if not isinstance(held, dict) or any(key not in held for key in KEYS):
        found = ", ".join(map(str, held))[:200] if isinstance(held, dict) else type(held).__name__
        raise BenchError(f"{path}: found {found or 'nothing'}; expected {' and '.join(KEYS)}")
    seen, label = (numbers(path, key, held[key]) for key in KEYS)
    if len(seen) != len(label):
        raise BenchError(f"{path}: {len(seen)} frames of input and {len(label)} of label")
    return seen, label


def numbers(path: Path, key: str, held: Any) -> np.ndarray:
    """(F, 17, 3) float64."""
    found = held.shape if isinstance(held, np.ndarray) else type(held).__name__
    if not isinstance(held, np.ndarray) or held.shape[1:] != (17, 3) or not len(held):
        raise BenchError(f"{path}: {key} is {found}; expected an array (F, 17, 3)")
    if held.dtype.kind not in "fiu":
        raise BenchError(f"{path}: {key} is {held.dtype}; expected numbers")
    return held.astype(np.float64)

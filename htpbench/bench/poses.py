"""Lifted poses as a file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np

from htpbench.errors import BenchError
from htpbench.measuring.context import Context
from htpbench.measuring.evaluation import Evaluation
from htpbench.measuring.prediction import predicted
from htpbench.outside.drafts import draft
from htpbench.systems.catalogue import meter
from htpbench.systems.combination import Combination

ARRAYS = ("poses", "frame", "view", "clip", "camera", "conditions")
Tell = Callable[[int, int], None]


def save(
    path: Path,
    context: Context,
    combination: Combination,
    tell: Tell = lambda lifted, total: None,
) -> None:
    """Write what a combination says of the test split; the file appears whole or not at all.

    BenchError where `path` is anything but new or poses, which alone are replaced.
    `poses` (N, 17, 3) float32: camera axes, mm, relative to the root; `frame` (N,) its frame of
    the view `view` (N,); `clip` and `camera` (V,) of each view; `conditions`, as rows have them.
    """
    if path.suffix != ".npz":
        raise BenchError(f"--out {path}: expected a path that ends in .npz")
    replaceable(path)
    with draft(path, "choose another --out") as file:  # before long work: nobody waits in vain
        np.savez_compressed(file, **arrays(context, combination, tell))  # type: ignore[arg-type]
        replaceable(path)  # lifting is long


def replaceable(path: Path) -> None:
    """BenchError where a path is anything but new or a file of poses."""
    if not os.path.lexists(path):
        return
    held: set[str] = set()
    if path.is_file() and not path.is_symlink():
        with (
            suppress(OSError, ValueError, NotImplementedError, BadZipFile),
            ZipFile(path) as archive,
        ):
            held = {name.removesuffix(".npy") for name in archive.namelist()}
    if held != set(ARRAYS):
        raise BenchError(f"--out {path} is there and holds no lifted poses; choose another --out")


def arrays(context: Context, combination: Combination, tell: Tell) -> dict[str, np.ndarray]:
    """What the file holds; `tell` gets the frames that are lifted and all of them."""
    evaluation = context.evaluation(combination)
    views, total = evaluation.views, len(evaluation.rows)
    lifted = 0

    def watch(evaluation: Evaluation, rows: np.ndarray, poses: np.ndarray) -> None:
        nonlocal lifted
        lifted += len(rows)
        tell(lifted, total)

    found = predicted(context, combination, watch)
    view = views.view_of(found.rows)  # (N,)
    how = meter("accuracy").conditions(context, combination)  # as rows of accuracy have them
    conditions = context.conditions(combination) | how
    return {
        "poses": found.poses,
        "frame": (found.rows - views.start[view]) * views.every,
        "view": view,
        "clip": np.array([views.clips[number].name for number in views.clip]),
        "camera": views.camera,
        "conditions": np.array(json.dumps({"combination": str(combination), **conditions})),
    }

"""Lifted poses as a file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from htpbench.combination import Combination
from htpbench.errors import BenchError
from htpbench.setting import Setting


def save(path: Path, setting: Setting, combination: Combination) -> None:
    """Write what a combination says of the test split; the file appears whole or not at all.

    `poses` (N, 17, 3) float32: camera axes, mm, relative to the root; `frame` (N,) its frame of
    the view `view` (N,); `clip` and `camera` (V,) of each view; `conditions`, as rows have them.
    """
    if path.suffix != ".npz":
        raise BenchError(f"--out {path}: expected a path that ends in .npz")
    found, views = setting.prediction(combination), setting.evaluation(combination).views
    view = views.view_of(found.rows)  # (N,)
    told = {"combination": str(combination), **setting.conditions(combination, "accuracy")}
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            np.savez_compressed(
                file,
                poses=found.poses,
                frame=(found.rows - views.start[view]) * views.every,
                view=view,
                clip=np.array([views.clips[number].name for number in views.clip]),
                camera=views.camera,
                conditions=np.array(json.dumps(told)),
            )
        os.replace(draft, path)
    except OSError as error:
        raise BenchError(f"cannot write {path}: {error.strerror}; choose another --out") from error

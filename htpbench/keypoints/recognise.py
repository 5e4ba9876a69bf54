"""Which layout a file has: by what is in it, not by its name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from htpbench.errors import BenchError
from htpbench.keypoints import alphapose, coco, detectron, mediapipe, mmpose, openpose, own, wrong
from htpbench.keypoints.found import DESCRIBED, MOST_JSON, Asked, Found
from htpbench.motion.members import Members, opened
from htpbench.outside import files

Reader = Callable[[Any, Path, Asked], Found]
JSON: tuple[tuple[Callable[[Any], bool], Reader], ...] = (
    (coco.fits, coco.read),
    (mmpose.fits, mmpose.read),
    (openpose.fits, openpose.read),
    (alphapose.fits, alphapose.read),
    (mediapipe.fits, mediapipe.read),
    (own.fits, own.of_json),
)


def read(path: Path, asked: Asked) -> Found:
    """The people in a file or folder of a detector; BenchError says what another file is."""
    if os.path.isdir(path):
        return openpose.folder(path, asked)
    with files.opened(path) as file:
        start = file.read(64)
    if not start:
        raise BenchError("is empty; expected what a detector writes")
    if said := wrong.of_file(path.suffix, start):
        raise BenchError(f"this is {said}")
    if start.startswith(b"PK"):
        with opened(path) as members:
            return of_npz(members, asked)
    if start.startswith(b"\x93NUMPY"):
        return own.of_npy(path, asked)
    try:
        data = files.load_json(path, MOST_JSON)
    except BenchError as fault:
        said = str(fault).removeprefix(f"{path} ")
        raise BenchError(f"{said}; {DESCRIBED}") from fault
    for fits, reader in JSON:
        if fits(data):
            return reader(data, path, asked)
    raise wrong.of_json(data)


def check_heeded(layout: str, asked: Asked) -> None:
    """BenchError where the user says something of which files of this layout take no notice."""
    for option, only in (("images", coco.LAYOUT), ("video", detectron.CUSTOM)):
        if getattr(asked, option) and layout != only:
            raise BenchError(f"{option}= goes with {only}, and this is {layout}; leave it out")


def of_npz(members: Members, asked: Asked) -> Found:
    """The people in the arrays of an npz."""
    names = members.names
    if said := wrong.of_members(members):
        raise BenchError(f"this is {said}")
    if {"keypoints", "boxes"} <= {*names} and members.header("keypoints")[0].hasobject:
        return detectron.read(members, asked)
    if "positions_2d" in names:
        return detectron.custom(members, asked)
    if "reconstruction" in names:
        return own.demos(members, asked)
    if "keypoints" in names:
        return own.of_members(members, asked)
    if len(names) == 1:
        return own.of_members(members, asked, names[0])
    held = ", ".join(sorted(names))[:200] or "nothing"
    raise BenchError(
        f"an npz that holds {held}; expected `keypoints` (rtmlib, one's own), `reconstruction` "
        f"(demos), `boxes` and `keypoints` (Detectron) or `positions_2d`; {DESCRIBED}"
    )

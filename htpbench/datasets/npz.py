"""Motion of one's own from an npz: 17 joints, millimetres, z up.

The file comes from elsewhere, so nothing in it is trusted: no pickles, and what an array claims to
be is held against the size of the file before memory is taken for it.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion import sound
from htpbench.motion.clip import FRAME_RATE, SPLITS, Clip
from htpbench.motion.dataset import Motion
from htpbench.motion.members import MOST_BYTES, Members, opened
from htpbench.motion.resampling import resample
from htpbench.motion.skeleton import JOINTS, PARENTS
from htpbench.outside.waiting import log

# key: kind of dtype, shape ("N" frames, "C" clips)
LAYOUT: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "positions": ("f", ("N", len(JOINTS), 3)),
    "clip_start": ("i", ("C",)),
    "clip_end": ("i", ("C",)),
    "clip_name": ("U", ("C",)),
    "clip_subject": ("U", ("C",)),
    "clip_action": ("U", ("C",)),
    "clip_split": ("U", ("C",)),
    "parents": ("i", (len(JOINTS),)),
    "frame_rate": ("fi", ()),
}
OPTIONAL = {
    "clip_cluster": ("U", ("C",)),  # who may be one person: intervals draw a cluster at once
    "clip_native_fps": ("f", ("C",)),  # of the recording; below 50 no velocities are scored
}
KINDS = {"f": "floats", "i": "integers", "fi": "numbers", "U": "text"}
SLOWEST, FASTEST = 10.0, 1000.0  # Hz of a recording
MANY = 1e-3  # of the frames may jump without a word
MOST_CHARACTERS = 256  # of a name
DESCRIBED = "docs/data.md says what each array holds"


class Npz(Motion):
    """An npz of motion in the world, as docs/data.md lays it out.

    BenchError for a file that is not sound. Motion of another rate than 50 Hz is resampled.
    floor: "auto" puts the floor below the lowest joint, wherever it is.
    """

    def __init__(self, path: str, floor: str = "checked") -> None:
        place = Path(path)
        try:
            super().__init__(place.stem, *_clips(_unpack(place), floor))
        except BenchError as fault:
            raise BenchError(f"{path}: {fault}") from fault.__cause__


def _unpack(path: Path) -> dict[str, Any]:
    """What LAYOUT names: positions as an array, all else as lists, numbers and text of Python."""
    with opened(path, MOST_BYTES) as members:
        arrays = _arrays(members)
        return {key: a if key == "positions" else a.tolist() for key, a in arrays.items()}


def _arrays(members: Members) -> dict[str, np.ndarray]:
    """The arrays of LAYOUT, each with the dtype and shape that is written there."""
    arrays, sizes = {}, {}
    missing = [key for key in LAYOUT if key not in members.names]
    if missing:
        held = ", ".join(sorted(set(members.names)))[:MOST_CHARACTERS]
        hint = "; did you mean keypoints:FILE?" if "keypoints" in members.names else ""
        raise BenchError(
            f"lacks {', '.join(missing)} and holds {held or 'nothing'}; expected "
            f"{', '.join(LAYOUT)}: write a file with these; {DESCRIBED}{hint}"
        )
    optional = {key: one for key, one in OPTIONAL.items() if key in members.names}
    for key, (kind, shape) in (LAYOUT | optional).items():
        dtype, found = members.header(key)
        expected = tuple(
            sizes.setdefault(n, m) if isinstance(n, str) else n
            for n, m in zip(shape, found, strict=False)
        )
        if dtype.kind not in kind or len(found) != len(shape) or found != expected:
            raise BenchError(
                f"{key} is {dtype} {found}; expected {KINDS[kind]} of shape {shape}; {DESCRIBED}"
            )
        if kind == "U" and dtype.itemsize > 4 * MOST_CHARACTERS:
            raise BenchError(f"{key} is {dtype}; expected at most {MOST_CHARACTERS} characters")
        arrays[key] = members.plain(key)
    return arrays


def _clips(arrays: dict[str, Any], floor: str) -> tuple[list[Clip], dict[str, str]]:
    """The clips, and what was done to them."""
    with np.errstate(over="ignore"):
        positions = arrays["positions"].astype(np.float32, copy=False)
    names, subjects, actions, splits = (
        arrays[f"clip_{text}"] for text in ("name", "subject", "action", "split")
    )
    starts, stops = arrays["clip_start"], arrays["clip_end"]
    rate = float(arrays["frame_rate"])
    if not SLOWEST <= rate <= FASTEST:
        raise BenchError(
            f"frame_rate is {rate:g} Hz; expected {SLOWEST:g} to {FASTEST:g}: write that of the "
            "positions"
        )
    if tuple(arrays["parents"]) != PARENTS:
        raise BenchError(
            f"parents are not those of the 17 joints of Human3.6M, {PARENTS}; reorder the joints"
        )
    if not names:
        raise BenchError("there are no clips; expected at least one")
    for name, start, stop, split in zip(names, starts, stops, splits, strict=True):
        if not 0 <= start < stop <= len(positions):
            raise BenchError(f"clip {name!r} is frames {start}:{stop} of {len(positions)}")
        if split not in SPLITS:
            raise BenchError(f"clip {name!r} has split {split!r}; expected {' or '.join(SPLITS)}")
    ranges = sorted(zip(starts, stops, strict=True))
    if any(stop > start for (_, stop), (start, _) in pairwise(ranges)):
        raise BenchError("two clips share frames; expected ranges apart")
    both = {s for s, split in zip(subjects, splits, strict=True) if split == "train"}
    both &= {s for s, split in zip(subjects, splits, strict=True) if split == "test"}
    if both:
        raise BenchError(f"subject {min(both)!r} is in train and test; expected subjects apart")
    clusters = arrays.get("clip_cluster", [""] * len(names))
    rates = arrays.get("clip_native_fps", [0.0] * len(names))
    if not all(0 <= rate < math.inf for rate in rates):
        raise BenchError("clip_native_fps holds no rates; expected Hz, 0 where it is not known")
    held = [positions[start:stop] for start, stop in zip(starts, stops, strict=True)]
    told = {}
    if rate != FRAME_RATE:
        if positions.nbytes * FRAME_RATE / rate > MOST_BYTES:
            raise BenchError(
                f"{len(positions)} frames at {rate:g} Hz become too many at {FRAME_RATE:g}; "
                "split the file"
            )
        held = [resampled(name, each, rate) for name, each in zip(names, held, strict=True)]
        rates = [known or rate for known in rates]
        told["resampled"] = f"{rate:g} Hz"
    checked = sound.judged(held, floor)
    jumps, frames = sum(bad.sum() for bad in checked.bad), sum(map(len, held))
    if jumps > MANY * frames:
        log.warning(
            "%d of %d frames jump (above 20 m/s or 500 m/s2, or a knee bent backward) and are "
            "scored as they are; cut them out of the clips",
            jumps,
            frames,
        )
    clips = [
        Clip(name, subject, action, split, motion, cluster=cluster, recorded=recorded)
        for name, subject, action, split, motion, cluster, recorded in zip(
            names, subjects, actions, splits, checked.clips, clusters, rates, strict=True
        )
    ]
    return clips, told | checked.told


def resampled(name: str, positions: np.ndarray, rate: float) -> np.ndarray:
    """A clip (T, 17, 3) of another rate at 50 Hz."""
    if len(positions) < 2:
        raise BenchError(f"clip {name!r} is one frame; expected 2 or more to resample")
    return resample(positions.astype(np.float64), 1 / rate).astype(np.float32)

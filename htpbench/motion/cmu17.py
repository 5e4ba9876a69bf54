"""Reader of `cmu17.npz`: CMU motion capture brought to 17 joints, 50 Hz, millimetres.

The file comes from elsewhere, so nothing in it is trusted: no pickles, and the header of an array
is checked before memory is taken for it.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.clip import FRAME_RATE, SPLITS, Clip, Motion
from htpbench.motion.skeleton import JOINTS, PARENTS

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
    "frame_rate": ("f", ()),
}
KINDS = {"f": "floats", "i": "integers", "U": "text"}
MOST_BYTES = 2**30  # of one array; positions of 29 hours
REMEDY = "copy the file again or check how it was written"


def read(path: str | Path) -> Motion:
    """The motion in an npz laid out as cmu17.npz; BenchError for a file that is not sound."""
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _arrays(archive)
        return Motion(path.stem, _clips(arrays))
    except BenchError as fault:
        raise BenchError(f"{path}: {fault}; {REMEDY}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError) as fault:
        raise BenchError(
            f"{path}: not a readable npz, perhaps cut short ({fault}); {REMEDY}"
        ) from fault


def _arrays(archive: zipfile.ZipFile) -> dict[str, Any]:
    """The arrays of LAYOUT, each with the dtype and shape that is written there."""
    arrays, sizes = {}, {}
    members = set(archive.namelist())
    missing = [key for key in LAYOUT if f"{key}.npy" not in members]
    if missing:
        raise BenchError(f"lacks {', '.join(missing)}; expected {', '.join(LAYOUT)}")
    for key, (kind, shape) in LAYOUT.items():
        dtype, found = _header(archive, key)
        expected = tuple(
            sizes.setdefault(n, m) if isinstance(n, str) else n
            for n, m in zip(shape, found, strict=False)
        )
        if dtype.kind != kind or len(found) != len(shape) or found != expected:
            raise BenchError(f"{key} is {dtype} {found}; expected {KINDS[kind]} of shape {shape}")
        size = dtype.itemsize * int(np.prod(found, dtype=object))
        if size > MOST_BYTES or size > archive.getinfo(f"{key}.npy").file_size:
            raise BenchError(f"{key} claims {size} bytes, more than it holds or than is allowed")
        with archive.open(f"{key}.npy") as stream:
            arrays[key] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def _header(archive: zipfile.ZipFile, key: str) -> tuple[np.dtype, tuple[int, ...]]:
    """dtype and shape that an array claims to have."""
    with archive.open(f"{key}.npy") as stream:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, _, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise BenchError(f"{key} has npy version {version}; expected 1.0 or 2.0")
    return dtype, shape


def _clips(arrays: dict[str, Any]) -> tuple[Clip, ...]:
    positions = arrays["positions"]
    starts, stops = arrays["clip_start"].tolist(), arrays["clip_end"].tolist()
    names, splits = arrays["clip_name"].tolist(), arrays["clip_split"].tolist()
    if arrays["frame_rate"] != FRAME_RATE:
        raise BenchError(f"frame rate is {arrays['frame_rate']} Hz; expected {FRAME_RATE}")
    if tuple(arrays["parents"].tolist()) != PARENTS:
        raise BenchError("parents are not those of the 17 joints of Human3.6M")
    if not np.isfinite(positions).all():
        raise BenchError("positions hold NaN or infinity; expected finite millimetres")
    if len(set(names)) < len(names):
        raise BenchError("two clips have the same name; expected each name once")
    for name, start, stop, split in zip(names, starts, stops, splits, strict=True):
        if not 0 <= start < stop <= len(positions):
            raise BenchError(f"clip {name} is frames {start}:{stop} of {len(positions)}")
        if split not in SPLITS:
            raise BenchError(f"clip {name} has split {split!r}; expected {' or '.join(SPLITS)}")
    order = np.argsort(starts)
    if (np.array(stops)[order][:-1] > np.array(starts)[order][1:]).any():
        raise BenchError("two clips share frames; expected ranges apart")
    subjects = arrays["clip_subject"].tolist()
    both = {s for s, split in zip(subjects, splits, strict=True) if split == "train"}
    both &= {s for s, split in zip(subjects, splits, strict=True) if split == "test"}
    if both:
        raise BenchError(f"subject {min(both)} is in train and test; expected subjects apart")
    thigh = float(np.median(np.linalg.norm(positions[:, 2] - positions[:, 1], axis=-1)))
    if not 100 < thigh < 1000:
        raise BenchError(f"a thigh is {thigh:.3g} long; expected positions in millimetres")
    positions = positions.astype(np.float32, copy=False)
    return tuple(
        Clip(name, subject, action, split, positions[start:stop])
        for name, subject, action, split, start, stop in zip(
            names,
            arrays["clip_subject"].tolist(),
            arrays["clip_action"].tolist(),
            splits,
            starts,
            stops,
            strict=True,
        )
    )

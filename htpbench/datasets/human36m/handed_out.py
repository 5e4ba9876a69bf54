"""Where the CDF files of 3D positions lie in a copy of what Human3.6M hands out."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from htpbench.datasets.human36m.facts import ARCHIVE, LENSES, SPLIT_OF, spelt
from htpbench.errors import BenchError

FOLDER = "D3_Positions"  # world; its kin are in camera axes, or of one skeleton for all
MOST_FOLDERS = 10_000
SUBJECT = re.compile(r"S\d{1,2}")
EXPECTED = f"expected S*/.../{FOLDER}/*.cdf, out of Poses_D3_Positions_S*.tgz"


def files(folder: Path) -> dict[str, dict[str, Path]]:
    """By subject and key, with actions called as the field does; BenchError where there are none.

    The folder may be the copy, one subject's folder in it, or one below.
    """
    found: dict[str, dict[str, Path]] = {}
    others: dict[str, None] = {}
    for path in walked(folder):
        kind = path.parent.name
        if path.suffix.lower() != ".cdf" or kind != FOLDER or lens_of(path):
            others |= dict.fromkeys(word(path))
            continue
        parts = [part for part in path.resolve().parts if SUBJECT.fullmatch(part)]
        if not parts:
            raise BenchError(f"{path}: no folder above it is called S1, S5, ...; {EXPECTED}")
        if parts[-1] not in SPLIT_OF:
            continue
        clips = found.setdefault(parts[-1], {})
        key = spelt(path.stem)
        if key in clips:
            raise BenchError(f"{path} and {clips[key]} are the same take; leave one out")
        clips[key] = path
    if not found:
        told = "; ".join(others) or "nothing of it"
        raise BenchError(f"{folder} holds {told}; {EXPECTED}")
    return found


def walked(folder: Path) -> Iterator[Path]:
    """All files below a folder, in order of their names; links are not followed."""
    for count, (place, folders, names) in enumerate(os.walk(folder)):
        if count > MOST_FOLDERS:
            raise BenchError(
                f"{folder} has more than {MOST_FOLDERS} folders; name that of Human3.6M"
            )
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(names))


def lens_of(path: Path) -> bool:
    """Whether a file is in one camera's axes: "Walking 1.54138969.cdf"."""
    return path.stem.rpartition(".")[2] in LENSES


def word(path: Path) -> list[str]:
    """What another file is, where somebody may take it for the right one."""
    kind = path.parent.name
    match path.suffix.lower():
        case ".cdf" if "universal" in kind:
            return ["poses of one skeleton for all (_mono_universal), which nobody scores against"]
        case ".cdf" if "mono" in kind or lens_of(path):
            return ["poses in camera axes (_mono), one file a camera, not those in the world"]
        case ".cdf":
            return [f"CDF files of {kind}"]
        case ".h5" | ".hdf5":
            return ["HDF5 files, an older conversion, which are not read"]
        case ".npz" if path.name == ARCHIVE:
            return [f"{ARCHIVE} (did you mean h36m:FOLDER?)"]
    return []

"""Files of Keras 2's `save_weights` (.h5): what they hold, and the tensors that are asked for.

Keras numbers layers by what was built before them in the process (dense_59), so they are numbered
anew here: layers of one kind within one parent from 0 (dense.0). Kernels have the axes of outputs
last in these files; they come out in torch's order. The file is not trusted: an HDF5 file can
name other files, hold packed numbers and claim any size, and `save_weights` does none of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import accumulate
from operator import mul
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from htpbench.convert.pickled import MOST_AXES, Storage, Stored
from htpbench.errors import BenchError

MARK = "weight_names"  # an attribute of each layer's group
MOST_PARTS, DEEPEST = 2**14, 16  # groups and weights; the published size has 192 weights
DTYPES = {"<f2": torch.float16, "<f4": torch.float32, "<f8": torch.float64}


def contents(path: Path) -> dict[str, Stored]:
    """The tensors of a file by names with dots, layers numbered anew, shapes in torch's order."""
    found: dict[str, Stored] = {}
    with opened(path) as file:
        held = [*weights(file)]
        room = path.stat().st_size
        for name, (_, dataset) in zip(numbered([one for one, _ in held]), held, strict=True):
            if name in found:
                raise BenchError(f"{name} is there twice")
            shape = (*map(int, reversed(dataset.shape) if kernel(name) else dataset.shape),)
            *steps, count = accumulate((1, *reversed(shape)), mul)
            room -= count * dataset.dtype.itemsize
            if room < 0:
                raise BenchError(f"{name} claims to be {list(shape)}, more than the file holds")
            storage = Storage(DTYPES[dataset.dtype.str], dataset.name, count)
            found[name] = Stored(storage, 0, shape, (*reversed(steps),))
    return found


def tensors(path: Path, wanted: Mapping[str, Stored]) -> dict[str, Tensor]:
    """Read tensors that `contents` described."""
    with opened(path) as file:
        return {name: tensor(file[one.storage.member]) for name, one in wanted.items()}


def tensor(dataset: Any) -> Tensor:
    """The numbers of a dataset, in torch's order of axes."""
    whole = torch.from_numpy(np.asarray(dataset))
    return whole.permute(*reversed(range(whole.ndim))) if kernel(dataset.name) else whole


def kernel(name: str) -> bool:
    """Whether a tensor is the kernel of a layer, by either of its names."""
    return re.search(r"[./]kernel(:0)?$", name) is not None


def weights(file: Any) -> Iterator[tuple[str, Any]]:
    """Every weight: its name, which is its place within the group of a layer, and its dataset."""
    left = MOST_PARTS
    groups: list[tuple[tuple[str, ...], Any]] = [((), file)]
    while groups:
        place, group = groups.pop()
        if len(place) == 1 and MARK not in group.attrs:
            raise BenchError(
                f"{group.name!r:.100} has no {MARK}; expected what Keras 2 writes by "
                "model.save_weights(NAME.h5), without the rest of the model"
            )
        for part in group:
            left -= 1
            inner = (*place, part)
            if left < 0 or len(inner) > DEEPEST:
                raise BenchError(f"more than {MOST_PARTS} parts, or {DEEPEST} within each other")
            found = inside(group, part)
            if isinstance(found, library().Group):
                groups.append((inner, found))
            else:
                name = "/".join(inner[1:])
                if not re.fullmatch(r"[ -~]{1,200}:0", name):
                    raise BenchError(f"{name!r:.100} is no name that Keras gives a weight")
                yield name, sound(found, name)


def inside(group: Any, name: str) -> Any:
    """The group or dataset that a group holds itself by a name; BenchError where it does not."""
    link = group.get(name, getlink=True)
    found = group[name] if isinstance(link, library().HardLink) else None
    if not isinstance(found, library().Group | library().Dataset):
        raise BenchError(f"{name!r:.100} in {group.name!r:.100} is neither group nor numbers")
    return found


def sound(dataset: Any, name: str) -> Any:
    """A dataset whose numbers lie in the file as they are; BenchError for any other."""
    if dataset.dtype.str not in DTYPES or len(dataset.shape or ()) > MOST_AXES:
        raise BenchError(
            f"{name} is {dataset.dtype} {dataset.shape}; expected numbers of float16, 32 or 64"
        )
    if dataset.chunks or dataset.external or dataset.is_virtual:
        raise BenchError(f"{name} is packed or elsewhere, which save_weights never does")
    if dataset.shape is None or dataset.id.get_storage_size() != dataset.nbytes:
        raise BenchError(f"{name} claims to be {dataset.shape}, which is not what is there")
    return dataset


def numbered(names: list[str]) -> list[str]:
    """Names of weights with dots, every part but the last numbered among its kind in its parent."""
    known: dict[tuple[str, ...], dict[str, set[int]]] = {}  # parent -> kind -> numbers
    split = [(*name.removesuffix(":0").split("/"),) for name in names]
    for parts in split:
        for depth, part in enumerate(parts[:-1]):
            kind, number = counted(part)
            known.setdefault(parts[:depth], {}).setdefault(kind, set()).add(number)
    rank = {
        (*parent, kind, number): f"{kind}.{place}"
        for parent, kinds in known.items()
        for kind, numbers in kinds.items()
        for place, number in enumerate(sorted(numbers))
    }
    return [
        ".".join([rank[*parts[:depth], *counted(parts[depth])] for depth in range(len(parts) - 1)])
        + f".{parts[-1]}"
        for parts in split
    ]


def counted(part: str) -> tuple[str, int]:
    """A layer's kind and its number; Keras leaves the first one's out."""
    kind, found, number = part.rpartition("_")
    return (kind, int(number)) if found and re.fullmatch("[0-9]{1,9}", number) else (part, 0)


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The file; whatever is wrong with it becomes a BenchError."""
    make = library().File
    try:
        with make(path, "r") as file:
            yield file
    except BenchError as fault:
        raise BenchError(f"{path}: {fault}") from fault.__cause__
    except Exception as fault:  # h5py fails in a dozen ways on damaged bytes
        said = f"{fault!s:.200}".encode("ascii", "backslashreplace").decode()
        raise BenchError(f"{path}: not a readable HDF5 file of Keras ({said})") from fault


def library() -> ModuleType:
    """The library; BenchError says how to get it."""
    try:
        import h5py
    except ImportError as error:
        raise BenchError(
            "Keras files are read by h5py, which is not here: pip install htpbench[keras]"
        ) from error
    return h5py

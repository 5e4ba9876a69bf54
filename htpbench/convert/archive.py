"""The zip archives of torch.save: what they hold, and the tensors that are asked for.

The file comes from elsewhere, so nothing in it is trusted: what it claims to hold is compared with
its size before memory is taken.
"""

from __future__ import annotations

import re
import shlex
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from htpbench.convert.pickled import Storage, Stored, follow
from htpbench.errors import BenchError

MOST_PROGRAM = 2**24  # bytes of a pickle; MotionAGFormer-L with its optimiser: 0.7 million
OLD = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."  # how files of torch before 1.6 begin


def contents(path: Path) -> Any:
    """What a checkpoint holds: plain values, Stored tensors, OPAQUE for everything else."""
    with opened(path) as (archive, root):
        return follow(member(archive, f"{root}data.pkl", MOST_PROGRAM))


def tensors(path: Path, wanted: Mapping[str, Stored]) -> dict[str, Tensor]:
    """Read tensors that `contents` described; storages of others are not touched."""
    found: dict[Storage, Tensor] = {}
    with opened(path) as (archive, root):
        room = path.stat().st_size  # members that share bytes could add up to any size
        for name, stored in wanted.items():
            storage = stored.storage
            if storage not in found:
                size = storage.length * storage.dtype.itemsize
                raw = bytearray(member(archive, f"{root}data/{storage.member}", min(size, room)))
                if len(raw) != size:
                    raise BenchError(f"the storage of {name} has {len(raw)} bytes, not {size}")
                room -= size
                empty = torch.empty(0, dtype=storage.dtype)
                found[storage] = torch.frombuffer(raw, dtype=storage.dtype) if size else empty
        return {
            name: found[s.storage].as_strided(s.shape, s.stride, s.offset)
            for name, s in wanted.items()
        }


@contextmanager
def opened(path: Path) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """The archive and its one folder; whatever is wrong with the file becomes a BenchError."""
    try:
        with path.open("rb") as file:
            if file.read(len(OLD)) == OLD:
                anew = (
                    f"import torch; torch.save(torch.load({str(path)!r}, map_location='cpu', "
                    "weights_only=True), 'new.pth')"
                )
                raise BenchError(
                    "is in the format of torch before 1.6; write it anew: python -c "
                    f"{shlex.quote(anew)} (weights_only=False runs what is in it: only if you "
                    "trust whoever made it)"
                )
        with zipfile.ZipFile(path) as archive:
            roots = re.findall(r"^([^/\n]+/)data\.pkl$", "\n".join(archive.namelist()), re.M)
            if len(roots) != 1:
                raise BenchError(f"holds {len(roots)} checkpoints of torch.save; expected one")
            order = f"{roots[0]}byteorder"
            if order in archive.namelist() and member(archive, order, 6) != b"little":
                raise BenchError("was written on a big-endian machine")
            yield archive, roots[0]
    except BenchError as fault:
        raise type(fault)(f"{path}: {fault}") from fault.__cause__
    except Exception as fault:  # zipfile and pickletools fail in a dozen ways on damaged bytes
        said = f"{fault!s:.200}".encode("ascii", "backslashreplace").decode()
        raise BenchError(
            f"{path}: not a readable checkpoint of torch.save, perhaps cut short ({said})"
        ) from fault


def member(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """The bytes of a member, of which there may be so many; torch packs none."""
    info = archive.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise BenchError(f"{name!r} is packed, which torch.save never does")
    if info.file_size > most:
        raise BenchError(f"{name!r} has {info.file_size} bytes; expected at most {most}")
    return archive.read(info)

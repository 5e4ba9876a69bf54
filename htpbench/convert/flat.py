"""Safetensors files from elsewhere: what they hold, and the tensors that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from operator import mul
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from htpbench.convert.pickled import MOST_AXES, Storage, Stored
from htpbench.errors import BenchError

MOST_HEADER = 2**22  # bytes; that of 10,000 tensors has 1.5 million
DTYPES = {
    "F32": torch.float32,
    "F64": torch.float64,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def contents(path: Path) -> dict[str, Stored]:
    """The tensors of a file; each is a storage of its own, in a row."""
    found = {}
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
        if size > MOST_HEADER:
            raise BenchError(f"{path}: a header of {size} bytes; expected at most {MOST_HEADER}")
        with safe_open(path, "pt") as file:
            for name in [*file.keys()]:
                one = file.get_slice(name)
                shape, dtype = (*one.get_shape(),), one.get_dtype()
                if len(shape) > MOST_AXES or dtype not in DTYPES:
                    raise BenchError(f"{path}: holds a tensor of {len(shape)} axes and {dtype}")
                *steps, count = accumulate((1, *reversed(shape)), mul)
                storage = Storage(DTYPES[dtype], name, count)
                found[name] = Stored(storage, 0, shape, (*reversed(steps),))
    except (SafetensorError, OSError) as error:
        raise BenchError(f"{path} is not a readable safetensors file: {error}") from error
    return found


def tensors(path: Path, wanted: Mapping[str, Stored]) -> dict[str, Tensor]:
    """Read tensors that `contents` described."""
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(one.storage.member) for name, one in wanted.items()}

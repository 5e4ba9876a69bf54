"""The pickle of a checkpoint, read without running it.

Only dictionaries, lists, numbers, text and descriptions of tensors come out; what any other call
would have made is OPAQUE. Names that no checkpoint needs are refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import torch

from htpbench.errors import BenchError
from htpbench.outside import pickled
from htpbench.outside.pickled import OPAQUE, Name

MOST_OPERATIONS = 2**19  # MotionAGFormer-L with its optimiser: 203 thousand
LARGEST = 2**48  # of a number in a tensor's shape
MOST_AXES = 8
DTYPES = {
    "torch.FloatStorage": torch.float32,
    "torch.DoubleStorage": torch.float64,
    "torch.HalfStorage": torch.float16,
    "torch.BFloat16Storage": torch.bfloat16,
    "torch.LongStorage": torch.int64,
    "torch.IntStorage": torch.int32,
    "torch.ShortStorage": torch.int16,
    "torch.CharStorage": torch.int8,
    "torch.ByteStorage": torch.uint8,
    "torch.BoolStorage": torch.bool,
}
# What checkpoints hold beside tensors; none of it is imported or called, all else is refused.
PASSENGERS = re.compile(
    r"(__builtin__|builtins)\.(object|set|frozenset|bytearray|complex|slice|range|list|dict|tuple"
    r"|int|long|float|str|unicode|bool|xrange)"
    r"|collections\.(OrderedDict|defaultdict|Counter)"
    r"|(copy_reg|copyreg)\._reconstructor|_codecs\.encode|argparse\.Namespace"
    r"|pathlib\.(_local\.)?(Pure)?(Posix|Windows)?Path"
    r"|numpy\.(ndarray|dtype|bool_?|(u?int|float|complex)\d+|str_|bytes_)"
    r"|numpy\._?core\.(multiarray\.(_reconstruct|scalar)|numeric\._frombuffer)"
    r"|numpy\.random\.(__RandomState_ctor|_(pickle\.__(randomstate|generator|bit_generator)_ctor"
    r"|mt19937\.MT19937|pcg64\.PCG64)|bit_generator\.(SeedSequence|__pyx_unpickle_SeedSequence))"
    r"|torch\.(Size|device|Tensor|bool|(u?int|float)\d+|bfloat16|\w+Storage)"
    r"|torch\._utils\._rebuild_\w+|torch\.nn\.parameter\.Parameter"
)


@dataclass(frozen=True)
class Storage:
    """Numbers in a member of the archive."""

    dtype: torch.dtype
    member: str
    length: int  # in numbers


@dataclass(frozen=True)
class Stored:
    """A tensor as a pickle describes it, known to lie within its storage if that is there."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


class Checkpoint(pickled.Vocabulary):
    """What checkpoints say, and what is left of it."""

    needed_by = "checkpoint"

    def named(self, text: str) -> Name:
        """See Vocabulary."""
        if not PASSENGERS.fullmatch(text):
            raise BenchError(
                f"asks for {text!r:.100}, which no checkpoint needs; nothing of it was run. If you "
                "trust the file: save model.state_dict() alone where the model was trained"
            )
        return Name(text)

    def called(self, function: Any, arguments: Any) -> Any:
        """See Vocabulary."""
        match function, arguments:
            case Name("collections.OrderedDict"), ():
                return {}
            case Name("torch._utils._rebuild_tensor_v2"), (
                Storage() as numbers,
                offset,
                shape,
                stride,
                *_,
            ):
                return stored(numbers, offset, shape, stride)
            case Name("torch._utils._rebuild_parameter"), (Stored() as tensor, *_):
                return tensor
            case Name(), tuple():
                return OPAQUE
        raise BenchError("its pickle calls what is no function")

    def built(self, target: Any, state: Any) -> None:
        """Attributes; what they would be set on stays as it is."""

    def persistent(self, identity: Any) -> Storage:
        """The numbers that an id stands for, wherever they once lay."""
        match identity:
            case ("storage", Name(kind), str(key), _, int(length)) if (
                kind in DTYPES and length >= 0
            ):
                return Storage(DTYPES[kind], key, length)
        raise BenchError("its pickle names numbers in a way that is not known")

    def key(self, key: Any) -> Any:
        """Text, or a number of 64 bits: no other key is one that a checkpoint has."""
        usual = type(key) is str or (type(key) is int and key.bit_length() <= 64)
        return key if usual else OPAQUE


def follow(program: bytes) -> Any:
    """The value that a pickle describes; BenchError where it does what no checkpoint does."""
    return pickled.follow(program, Checkpoint(), MOST_OPERATIONS)


def stored(numbers: Storage, offset: Any, shape: Any, stride: Any) -> Stored:
    """A tensor within its storage, with no number used twice; BenchError otherwise."""
    sizes = (offset, *shape, *stride)
    sound = all(type(size) is int and 0 <= size < LARGEST for size in sizes)
    if not sound or len(shape) != len(stride) or len(shape) > MOST_AXES:
        raise BenchError("it describes a tensor by what is no shape")
    count = math.prod(shape)
    last = offset + sum((n - 1) * step for n, step in zip(shape, stride, strict=True))
    if count and max(last + 1, count) > numbers.length:
        raise BenchError(
            f"it describes a tensor of shape {list(shape)} in a storage of {numbers.length} numbers"
        )
    return Stored(numbers, offset, (*shape,), (*stride,))

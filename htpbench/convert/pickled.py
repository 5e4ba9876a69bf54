"""The pickle of a checkpoint, read without running it.

A pickle is a program that calls functions by name. Here its operations are followed on plain values
alone: a function stays a name, what it would have made is OPAQUE, and only dictionaries, lists,
numbers, text and descriptions of tensors come out. Names that no checkpoint needs are refused.
"""

from __future__ import annotations

import math
import pickletools
import re
from dataclasses import dataclass
from typing import Any

import torch

from htpbench.errors import BenchError

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
CONSTANTS = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
}
SINGLES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}


@dataclass(frozen=True)
class Name:
    """A function or a class that a pickle names."""

    text: str


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


OPAQUE = Name("")  # what a call made that nobody asks for


def follow(program: bytes) -> Any:
    """The value that a pickle describes; BenchError where it does what no checkpoint does."""
    stack: list[Any] = []
    below: list[list[Any]] = []  # stacks that marks have put aside
    memo: dict[int, Any] = {}
    argument: Any
    for count, (operation, argument, _) in enumerate(pickletools.genops(program)):
        if count >= MOST_OPERATIONS:
            raise BenchError(f"its pickle has more than {MOST_OPERATIONS} operations")
        match operation.name:
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                below.append(stack)
                stack = []
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(memo[argument])
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "NONE" | "NEWTRUE" | "NEWFALSE" as name:
                stack.append(SINGLES[name])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_SET":
                stack.append(OPAQUE)
            case "EMPTY_TUPLE":
                stack.append(())
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                taken = [stack.pop() for _ in range(int(name[-1]))]
                stack.append((*reversed(taken),))
            case "TUPLE":
                taken, stack = stack, below.pop()
                stack.append((*taken,))
            case "APPEND" | "SETITEM" as name:
                taken = [stack.pop() for _ in range(2 if name == "SETITEM" else 1)]
                put(stack[-1], taken[::-1], name)
            case "APPENDS" | "SETITEMS" | "ADDITEMS" as name:
                taken, stack = stack, below.pop()
                put(stack[-1], taken, name)
            case "GLOBAL":
                stack.append(named(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(named(f"{module:s}.{attribute:s}"))
            case "BINPERSID":
                stack.append(storage(stack.pop()))
            case "REDUCE" | "NEWOBJ":
                arguments, function = stack.pop(), stack.pop()
                stack.append(called(function, arguments))
            case "BUILD":
                stack.pop()  # attributes; what they would be set on stays as it is
            case name if name in CONSTANTS:
                stack.append(argument)
            case name:
                raise BenchError(f"its pickle has the operation {name}, which no checkpoint needs")
    raise BenchError("its pickle has no end")


def put(target: Any, items: list[Any], operation: str) -> None:
    """Add to a list or a dictionary; OPAQUE takes anything and keeps nothing."""
    if type(target) is list and operation.startswith("APPEND"):
        target += items
    elif type(target) is dict and operation.startswith("SETITEM"):
        pairs = zip(items[::2], items[1::2], strict=True)
        target.update((key if sound(key) else OPAQUE, value) for key, value in pairs)
    elif target is not OPAQUE:
        raise BenchError(f"its pickle adds to a {type(target).__name__}")


def sound(key: Any) -> bool:
    """Whether a key is one that a dictionary of a checkpoint has: text, or a number of 64 bits."""
    return type(key) is str or (type(key) is int and key.bit_length() <= 64)


def named(text: str) -> Name:
    """A name that checkpoints may hold; BenchError for any other."""
    if not PASSENGERS.fullmatch(text):
        raise BenchError(
            f"asks for {text!r:.100}, which no checkpoint needs; nothing of it was run. If you "
            "trust the file: save model.state_dict() alone where the model was trained"
        )
    return Name(text)


def storage(identity: Any) -> Storage:
    """The numbers that a persistent id stands for, wherever they once lay."""
    match identity:
        case ("storage", Name(kind), str(key), _, int(length)) if kind in DTYPES and length >= 0:
            return Storage(DTYPES[kind], key, length)
    raise BenchError("its pickle names numbers in a way that is not known")


def called(function: Any, arguments: Any) -> Any:
    """What a call stands for; nothing is called."""
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

"""Arrays in pickles, and what holds them: dictionaries, lists, text and numbers. Nothing is run.

Data sets of the field are such pickles, bare or as members of an npz, by numpy 1 and 2 and by
Python 2. What an array claims to be is held against the bytes that are there.
"""

from __future__ import annotations

import math
import mmap
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.outside import files, pickled
from htpbench.outside.pickled import Name

ALWAYS = 2**19  # operations that any pickle may have, however small its file is
DEEPEST = 32  # dictionaries and lists within each other
MOST_AXES = 8
LARGEST = 2**48  # of a number in a shape
SHARED = 2**16  # nodes that a pickle may have beyond its bytes
# numpy 1 and numpy 2
SHELL = {f"numpy.{core}.multiarray._reconstruct" for core in ("core", "_core")}
SCALAR = {f"numpy.{core}.multiarray.scalar" for core in ("core", "_core")}
BUFFER = {f"numpy.{core}.numeric._frombuffer" for core in ("core", "_core")}
BYTES = {"__builtin__.bytes", "builtins.bytes"}
NAMES = SHELL | SCALAR | BUFFER | BYTES
NAMES |= {"numpy.ndarray", "numpy.dtype", "_codecs.encode", "collections.OrderedDict"}
DTYPE = re.compile(r"f[248]|[iu][1248]|b1|[US]\d{1,4}|O[48]?")
LAST_CHARACTER = 0x10FFFF


@dataclass(eq=False)
class Kind:
    """A dtype; its byte order is told after it is made."""

    code: str
    order: str = "="

    @property
    def objects(self) -> bool:
        """Whether the items are pickled one by one."""
        return self.code.startswith("O")

    def dtype(self) -> np.dtype:
        """As numpy has it; BenchError for objects."""
        if self.objects:
            raise BenchError("its pickle takes bytes for objects")
        return np.dtype(self.order + self.code)


@dataclass(eq=False)
class Shell:
    """An array, whose content is told after it is made: None so far."""

    content: Any = None


class Arrays(pickled.Vocabulary):
    """What numpy writes."""

    needed_by = "array"

    def named(self, text: str) -> Name:
        """See Vocabulary."""
        if text not in NAMES:
            raise BenchError(
                f"asks for {text!r:.100}, which no array needs; nothing of it was run. Write the "
                "file anew, with arrays, lists, dictionaries, text and numbers alone"
            )
        return Name(text)

    def called(self, function: Any, arguments: Any) -> Any:
        """See Vocabulary."""
        match function, arguments:
            case Name("collections.OrderedDict"), ():
                return {}
            case Name("_codecs.encode"), (str(text), "latin1"):
                return text.encode("latin1")
            case Name(name), () if name in BYTES:
                return b""
            case Name("numpy.dtype"), (str(code), *_) if DTYPE.fullmatch(code.lstrip("|")):
                return Kind(code.lstrip("|"))
            case Name(name), (Name("numpy.ndarray"), *_) if name in SHELL:
                return Shell()
            case Name(name), (Kind() as kind, bytes() | str() as raw) if name in SCALAR:
                return filled(kind, (), raw)[()].item()
            case Name(name), (raw, Kind() as kind, shape, "C" | "F" as order) if name in BUFFER:
                return filled(kind, shape, raw, order)
            case Name(name), (raw, Kind() as kind, shape, "K", tuple() as axes) if name in BUFFER:
                return turned(filled(kind, shape, raw), axes)
        what = function.text if isinstance(function, Name) else type(function).__name__
        raise BenchError(f"its pickle calls {what!r:.100} in a way that no array needs")

    def built(self, target: Any, state: Any) -> None:
        """See Vocabulary."""
        match target, state:
            case Kind(), (int(), "<" | ">" | "|" | "=" as order, None, None, None, *_):
                target.order = order
            case Shell(content=None), (1, tuple() as shape, Kind() as kind, fortran, raw):
                order = "F" if fortran else "C"
                target.content = filled(kind, shape, raw, order)
            case _:
                raise BenchError("its pickle sets a state that no array has")

    def persistent(self, identity: Any) -> Any:
        """See Vocabulary."""
        raise BenchError("its pickle asks for what lies outside it; expected arrays within")

    def key(self, key: Any) -> str | int:
        """Text, as bytes too (Python 2), or a number."""
        if isinstance(key, bytes):
            return key.decode("latin1")
        if type(key) is str or (type(key) is int and key.bit_length() <= 64):
            return key
        raise BenchError(f"its pickle has a {type(key).__name__} for a key; expected text")


def filled(kind: Kind, shape: Any, raw: Any, order: Any = "C") -> Any:
    """An array of the bytes at hand; nested lists of objects, or the object where there is one."""
    sound = type(shape) is tuple and all(type(n) is int and 0 <= n < LARGEST for n in shape)
    if not sound or len(shape) > MOST_AXES:
        raise BenchError("its pickle describes an array by what is no shape")
    count = math.prod(shape)
    if kind.objects:
        if type(raw) is not list or len(raw) != count:
            raise BenchError(f"its pickle has an array of shape {shape} with another content")
        return nested(raw, shape, order)
    if isinstance(raw, str):
        raw = raw.encode("latin1")  # Python 2 has one type for both
    dtype = kind.dtype()
    if not isinstance(raw, bytes | bytearray) or len(raw) != count * dtype.itemsize:
        raise BenchError(f"its pickle has an array {dtype} {shape} with too few or too many bytes")
    if not raw:
        return np.empty(shape, dtype)
    if dtype.kind == "U":
        codes = np.frombuffer(raw, np.dtype("u4").newbyteorder(dtype.byteorder))
        if codes.max() > LAST_CHARACTER:
            raise BenchError("its pickle has text that is not Unicode")
    return np.frombuffer(raw, dtype).reshape(shape, order=order)


def turned(found: Any, axes: tuple[Any, ...]) -> np.ndarray:
    """An array with its axes in another order, as numpy 2 writes those that it has turned."""
    if not isinstance(found, np.ndarray) or {*map(type, axes)} - {int}:
        raise BenchError("its pickle turns what is no array")
    if sorted(axes) != [*range(found.ndim)]:
        raise BenchError("its pickle turns an array by what are not its axes")
    return found.transpose(axes)


def nested(items: list[Any], shape: tuple[int, ...], order: str) -> Any:
    """Lists within each other, as an array of objects is laid out."""
    if not shape:
        return items[0]
    if len(shape) == 1:
        return items
    if not items:  # (10**9, 0) would be as many lists
        return []
    step = len(items) // shape[0]
    if order == "F":
        return [nested(items[i :: shape[0]], shape[1:], order) for i in range(shape[0])]
    return [nested(items[i * step :][:step], shape[1:], order) for i in range(shape[0])]


def load(program: bytes | mmap.mmap, size: int) -> Any:
    """What the pickle of a file of `size` bytes describes; BenchError for any that is not sound.

    Dictionaries, lists, tuples, text, bytes, numbers and arrays; arrays of objects are lists.
    """
    try:
        found = pickled.follow(program, Arrays(), ALWAYS + size)
        return settled(found, [SHARED + len(program)])
    except BenchError:
        raise
    except Exception as fault:  # pickletools and numpy fail in a dozen ways on damaged bytes
        said = f"{fault!s:.200}".encode("ascii", "backslashreplace").decode()
        raise BenchError(f"its pickle is damaged, perhaps cut short ({said})") from fault


def load_file(path: Path) -> Any:
    """What a file that is one pickle describes: see `load`."""
    with files.opened(path) as file:
        size = path.stat().st_size
        if not size:
            raise BenchError(f"{path}: is empty; expected a pickle")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            try:
                return load(whole, size)
            except BenchError as fault:
                raise BenchError(f"{path}: {fault}") from fault.__cause__


def settled(found: Any, room: list[int], depth: int = 0) -> Any:
    """What was found with every shell replaced by its array.

    Lists that hold one list ten times, ten levels deep, would be walked for ever, so nodes are
    counted: a pickle has no more of them than bytes, unless it shares many.
    """
    room[0] -= 1
    if room[0] < 0 or depth > DEEPEST:
        raise BenchError("its pickle holds lists within lists without an end, or shares them")
    match found:
        case Shell(content=None) | Kind() | Name():
            raise BenchError("its pickle holds what is neither array nor number, text or list")
        case Shell():
            return settled(found.content, room, depth)
        case dict():
            return {key: settled(value, room, depth + 1) for key, value in found.items()}
        case list() | tuple():
            if all(type(item) is str for item in found):  # some have a text for every frame
                room[0] -= len(found)
                return found
            return type(found)(settled(item, room, depth + 1) for item in found)
    return found

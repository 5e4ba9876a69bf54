"""Pickles, read without running them.

A pickle is a program that calls functions by name. Here its operations are followed on plain values
alone: a function stays a name, and a vocabulary says which names there may be and what calls stand
for. Nothing that a file names is imported or called.
"""

from __future__ import annotations

import pickletools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from mmap import mmap
from typing import Any, ClassVar

from htpbench.errors import BenchError

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


OPAQUE = Name("")  # what a call made that nobody asks for


class Vocabulary(ABC):
    """What pickles of one kind may say; `needed_by`: which kind, for messages."""

    needed_by: ClassVar[str]

    @abstractmethod
    def named(self, text: str) -> Name:
        """A name that such pickles may hold, as it is written; BenchError for any other."""

    @abstractmethod
    def called(self, function: Any, arguments: Any) -> Any:
        """What a call stands for; nothing may be called here."""

    @abstractmethod
    def built(self, target: Any, state: Any) -> None:
        """Take the state that is set on what a call made."""

    @abstractmethod
    def persistent(self, identity: Any) -> Any:
        """What lies outside the pickle under an id."""

    @abstractmethod
    def key(self, key: Any) -> Any:
        """A dictionary's key as it is kept; it must be hashable."""


def follow(program: bytes | mmap, words: Vocabulary, most: int) -> Any:
    """The value that a pickle describes, in at most `most` operations.

    BenchError where it does what its kind never does; other errors where it is damaged.
    """
    stack: list[Any] = []
    below: list[list[Any]] = []  # stacks that marks have put aside
    memo: dict[int, Any] = {}
    argument: Any
    # genops only reads, which memory maps do as files do
    for count, (operation, argument, _) in enumerate(pickletools.genops(program)):  # type: ignore
        if count >= most:
            raise BenchError(f"its pickle has more than {most} operations")
        if operation.name in CONSTANTS:  # first: data sets have lists of millions of texts
            stack.append(argument)
            continue
        match operation.name:
            case "BINPUT" | "LONG_BINPUT" | "PUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "BINGET" | "LONG_BINGET" | "GET":
                stack.append(memo[argument])
            case "PROTO" | "FRAME":
                pass
            case "STOP":
                return stack.pop()
            case "MARK":
                below.append(stack)
                stack = []
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
                put(stack[-1], taken[::-1], name, words)
            case "APPENDS" | "SETITEMS" | "ADDITEMS" as name:
                taken, stack = stack, below.pop()
                put(stack[-1], taken, name, words)
            case "GLOBAL":
                stack.append(words.named(argument.replace(" ", ".")))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(words.named(f"{module:s}.{attribute:s}"))
            case "BINPERSID":
                stack.append(words.persistent(stack.pop()))
            case "REDUCE" | "NEWOBJ":
                arguments, function = stack.pop(), stack.pop()
                stack.append(words.called(function, arguments))
            case "BUILD":
                state = stack.pop()
                words.built(stack[-1], state)
            case name:
                raise BenchError(
                    f"its pickle has the operation {name}, which no {words.needed_by} needs"
                )
    raise BenchError("its pickle has no end")


def put(target: Any, items: list[Any], operation: str, words: Vocabulary) -> None:
    """Add to a list or a dictionary; OPAQUE takes anything and keeps nothing."""
    if type(target) is list and operation.startswith("APPEND"):
        target += items
    elif type(target) is dict and operation.startswith("SETITEM"):
        pairs = zip(items[::2], items[1::2], strict=True)
        target.update((words.key(key), value) for key, value in pairs)
    elif target is not OPAQUE:
        raise BenchError(f"its pickle adds to a {type(target).__name__}")

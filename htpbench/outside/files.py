"""Files from outside, read with nothing in them trusted.

What is no regular file, too large, no UTF-8 (with or without a byte-order mark), nested too deep,
or no JSON or TOML becomes a BenchError that names the file; callers add the remedy.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from htpbench.errors import BenchError

MOST_BYTES = 2**20  # of a study, a card or a recipe
DEEPEST = 32  # objects and lists within each other
# The TOML parser takes time by the square of a key's parts, so they are counted before.
PART = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+"""
LONG_KEY = re.compile(rf"(?<![\w-])(?:{PART}){{{DEEPEST}}}")


def checked(path: Path, most: int | None = None) -> Path:
    """The path, if it leads to a regular file of at most `most` bytes: no FIFO, device or folder.

    Whoever opens another may wait for ever, or read without an end.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # NUL in a name, or letters that this locale cannot write
        raise BenchError(f"{path}: no name of a file: {error}") from error
    if not stat.S_ISREG(found.st_mode):
        raise BenchError(f"{path}: expected a regular file, no folder, FIFO or device")
    if most is not None and found.st_size > most:
        raise BenchError(f"{path}: {found.st_size} bytes; expected at most {most}")
    return path


def opened(path: Path, most: int | None = None) -> BufferedReader:
    """A regular file, opened to be read."""
    try:
        return checked(path, most).open("rb")
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from error


def listed(folder: Path) -> list[Path]:
    """What lies in a folder, by name."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise BenchError(f"{folder}: {error.strerror}") from error


@contextmanager
def faults_named(*names: object) -> Iterator[None]:
    """BenchErrors of the block begin with the first name, unless they do so with any of them."""
    try:
        yield
    except BenchError as fault:
        said = str(fault)
        begun = said.startswith(tuple(f"{name}: " for name in names))
        raise BenchError(said if begun else f"{names[0]}: {said}") from fault.__cause__


def fingerprint(paths: Iterable[Path], *said: str) -> str:
    """12 hex digits that change with what files hold, and with words on what is read of them."""
    whole = hashlib.sha256("\0".join(said).encode(errors="surrogatepass"))
    for path in paths:
        with opened(path) as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()[:12]


def content(path: Path, most: int = MOST_BYTES) -> bytes:
    """The bytes of a file."""
    try:
        with opened(path, most) as file:
            # memory is taken for all that may be read, so the file's size bounds it
            return file.read(min(most, max(os.fstat(file.fileno()).st_size, MOST_BYTES)))
    except OSError as error:
        raise BenchError(f"{path}: {error.strerror}") from error


def text(path: Path, most: int = MOST_BYTES) -> str:
    """The text of a file, without its byte-order mark."""
    try:
        return content(path, most).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BenchError(f"{path} is not UTF-8 text: {error.reason}") from error


def load_json(path: Path, most: int = MOST_BYTES) -> Any:
    """What a JSON file holds."""
    try:
        return parse_json(text(path, most))
    except ValueError as error:
        raise BenchError(f"{path} is not valid JSON: {error}") from error


def load_toml(path: Path) -> dict[str, Any]:
    """What a TOML file holds."""
    written = text(path)
    try:
        if LONG_KEY.search(written):
            raise ValueError(f"a key of more than {DEEPEST} parts")
        return shallow(tomllib.loads(written))
    except RecursionError:
        raise BenchError(f"{path} is not valid TOML: nested too deep") from None
    except ValueError as error:
        raise BenchError(f"{path} is not valid TOML: {said(error)}") from error


def parse_json(written: str | bytes) -> Any:
    """What a JSON text says; ValueError for what is none, too deep, or not Unicode."""
    if isinstance(written, bytes):
        written = written.decode("utf-8-sig")
    try:
        found = shallow(json.loads(written))
        if "\\u" in written:  # an escape may be half of a surrogate pair, which nobody can write
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deep") from None
    except UnicodeEncodeError:
        raise ValueError("text that is not Unicode: half of a surrogate pair") from None
    except ValueError as error:
        raise ValueError(said(error)) from error
    return found


def shallow(found: Any) -> Any:
    """What was found, if it is not nested too deep for those who walk it."""
    level, depth = [found], 0
    while level := [
        item
        for one in level
        if isinstance(one, dict | list)
        for item in (one.values() if isinstance(one, dict) else one)
    ]:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"nested deeper than {DEEPEST} levels")
    return found


def said(error: ValueError) -> str:
    """A parser's words, without its advice on how to let numbers of 4,300 digits in."""
    return str(error).partition(";")[0]

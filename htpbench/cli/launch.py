"""The verbs in the order of work, and what is said of errors; bodies import what they need."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

from cyclopts import CycloptsError, Parameter
from rich.markup import escape

from htpbench.cli import (  # noqa: F401  # they register verbs
    checking,
    choosing,
    cite,
    code,
    completion,
    exporting,
    lifting,
    looking,
    measuring,
    new,
    reading,
    reproducing,
    rows,
    status,
    table,
    training,
    viewing,
    weights,
)
from htpbench.cli.output import Standard
from htpbench.cli.shared import app, err
from htpbench.errors import BenchError, interruption

RESUMING = {"sweep", "run", "reproduce", "choose", "train"}  # others keep nothing


@app.meta.default
def launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    import_: Annotated[
        list[Path] | None,
        Parameter(
            name="--import", negative="", help="A Python file that registers systems of your own."
        ),
    ] = None,
) -> None:
    """Take --import before the verb's own arguments."""
    for option, value in zip(("", *tokens), (*tokens, "-"), strict=True):
        name, equals, given = option.partition("=")
        if name.startswith("--") and ((not value and not equals) or (equals and not given)):
            raise BenchError(f"{name}: the value is empty; name one, or leave the option out")
    if import_:
        from htpbench.systems.registry import import_file

        for path in import_:
            import_file(path)
    app(tokens, exit_on_error=False, print_error=False)


def launched() -> None:
    """Do what sys.argv says: usage and bad input exit with 2, Ctrl-C with 130, SIGTERM 143."""
    with standard_streams():
        try:
            try:
                app.meta(sys.argv[1:], exit_on_error=False, print_error=False)
            finally:
                print(end="", flush=True)
        except (BenchError, CycloptsError) as error:
            said = escape(str(error).strip())  # grammar and users' text have brackets
            err.print(f"[bold red]error:[/] {said}", highlight=False, soft_wrap=True)
            sys.exit(getattr(error, "exit_code", 2))  # the gate's errors have codes of their own
        except (KeyboardInterrupt, Exception) as error:
            stopped = interruption(error)
            if stopped is None:
                raise
            err.print(f"stopped{'; the same command resumes' * keeps(sys.argv)}", highlight=False)
            sys.exit(code(stopped))


def keeps(words: list[str]) -> bool:
    """Whether what a command has measured is kept when it is stopped."""
    of_study = any(word.partition("=")[0] == "--study" for word in words)
    return bool(RESUMING & {*words}) or ("cost" in words and of_study)


@contextmanager
def standard_streams() -> Iterator[None]:
    """Both streams as `Standard`, for a while; one that is closed stays so."""
    before = sys.stdout, sys.stderr
    for stream in before:
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # ASCII terminals, and names of bytes
    sys.stdout, sys.stderr = (
        stream and Standard(stream, needs)  # type: ignore[assignment]
        for stream, needs in zip(before, (True, False), strict=True)
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before

"""The command line: verbs in the order of work; every body imports what it needs when called."""

from __future__ import annotations

import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

from cyclopts import CycloptsError, Parameter
from rich.markup import escape

from htpbench.cli import (  # noqa: F401  # they register verbs
    lifting,
    looking,
    measuring,
    reading,
    training,
    weights,
)
from htpbench.cli.shared import app, err
from htpbench.errors import BenchError


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
    if import_:
        from htpbench.registry import import_file

        for path in import_:
            import_file(path)
    app(tokens, exit_on_error=False, print_error=False)


def terminated(*_: object) -> None:
    """SIGTERM ends a run as Ctrl-C does, with the exit code that says so."""
    raise KeyboardInterrupt(128 + signal.SIGTERM)


def main() -> None:
    """Entry point: usage and bad input exit with 2, Ctrl-C with 130, SIGTERM 143, bugs with 1."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # ASCII terminals, and names of bytes
    before = signal.signal(signal.SIGTERM, terminated)
    try:
        app.meta(sys.argv[1:], exit_on_error=False, print_error=False)
    except (BenchError, CycloptsError) as error:
        said = escape(str(error).strip())  # grammar and users' text have brackets
        err.print(f"[bold red]error:[/] {said}", highlight=False, soft_wrap=True)
        sys.exit(getattr(error, "exit_code", 2))  # the gate's errors have codes of their own
    except KeyboardInterrupt as stop:
        err.print("stopped; the same command resumes", highlight=False)
        sys.exit(stop.args[0] if stop.args else 130)
    finally:
        signal.signal(signal.SIGTERM, before)

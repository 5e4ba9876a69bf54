"""The command line. Its entry point imports almost nothing before Ctrl-C is heard."""

from __future__ import annotations

import os
import signal
import sys

from htpbench.outside.signals import answered


def main() -> None:
    """Run the command line; its exit codes stand in docs/cli.md."""
    try:
        with answered(leave):
            from htpbench.cli.launch import launched
        with answered(stop):
            launched()
    except KeyboardInterrupt as stopped:  # before or after all work
        sys.exit(code(stopped))


def leave(number: int, frame: object) -> None:
    """Nothing was begun yet: nothing is to be put in order, and nothing to be said."""
    os._exit(128 + number)


def stop(number: int, frame: object) -> None:
    """End a run; SIGTERM does as Ctrl-C, with the exit code that says so."""
    raise KeyboardInterrupt(128 + number)


def code(stopped: KeyboardInterrupt) -> int:
    """130 for Ctrl-C, 143 for SIGTERM."""
    exec("")  # else Python, if it was interrupted inside an exec, would end by the signal itself
    return stopped.args[0] if stopped.args else 128 + signal.SIGINT

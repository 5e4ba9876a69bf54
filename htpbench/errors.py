"""Errors that are the user's to mend: what was wrong, what was expected, the nearest valid names.

The command line prints them without a traceback and exits with 2. Everything else is a bug.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

QUOTED = 100  # characters of a wrong name in a message


class BenchError(Exception):
    """Bad input, with a message that names the remedy."""


class Unknown(BenchError):
    """A name that nobody knows here; an import may bring it in."""


class OtherLengths(BenchError):
    """Weights whose shapes depend on the schedule, and that were made for another one."""


class Faulty(BenchError):
    """A system that does not keep its contract: what it is part of fails, all else goes on."""


class Poisoned(Exception):
    """An error after which nothing works on the device in this process: CUDA's stay."""


class TimedOut(Exception):
    """A measurement took longer than it may."""


class Pruned(Exception):
    """Not an error: a combination need not be measured further; `metric` is at least `least`."""

    def __init__(self, reason: str, metric: str, least: float) -> None:
        super().__init__(reason)
        self.metric, self.least = metric, least


def interruption(error: BaseException | None) -> KeyboardInterrupt | None:
    """The Ctrl-C behind an error, if any: what is interrupted may turn it into another error."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error


def unknown(kind: str, name: str, known: Iterable[str]) -> Unknown:
    """The error for a name that nobody knows, with the nearest names that exist."""
    known, name = sorted(known), name if len(name) <= QUOTED else f"{name[:QUOTED]}..."
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"
    return Unknown(f"unknown {kind} {name!r}; {hint}")

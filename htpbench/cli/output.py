"""Standard output and error that may be closed or full."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from htpbench.errors import BenchError


class Standard:
    """A standard stream. Once its reader has left, the rest is for nobody.

    One that somebody `needs` raises BenchError where it cannot be written for another reason, as on
    a full disk.
    """

    def __init__(self, stream: IO[str], needs: bool) -> None:
        self.stream, self.needs = stream, needs

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        """Write a text."""
        with self.guarded():
            self.stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        with self.guarded():
            self.stream.flush()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn what the system refuses into silence or into a BenchError."""
        try:
            yield
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())  # what is buffered goes there when Python ends
            os.close(nowhere)
            if self.needs and not isinstance(error, BrokenPipeError):
                raise BenchError(
                    f"cannot write to {self.stream.name}: {error.strerror}; free the disk, or send "
                    "the output elsewhere"
                ) from error

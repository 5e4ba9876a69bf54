"""What a terminal of any width shows: what differs between lines is what stays."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.text import Text

CUT = "…"  # stands for what was left out


class Fitting:
    """The first of some things that a terminal has room for, else the last."""

    def __init__(self, *every: RenderableType) -> None:
        self.every = every

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich."""
        *wide, last = self.every
        anything = options.update(max_width=10**4)
        fit = (t for t in wide if console.measure(t, options=anything).maximum <= options.max_width)
        yield next(fit, last)


class Ending:
    """A line of text that loses its beginning where there is no room."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """See rich."""
        room = options.max_width
        whole = len(self.text) <= room
        yield Text(self.text if whole else CUT + self.text[len(self.text) - room + 1 :])

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """See rich."""
        return Measurement(1, max(1, len(self.text)))


def short(names: Iterable[str]) -> tuple[list[str], str]:
    """Combinations without the backbone that all that prune share, and that backbone.

    Where they have several, the names as they are and "".
    """
    names = list(names)
    shared = {name.partition("+")[0] for name in names if "+" in name}
    if len(shared) != 1:
        return names, ""
    (backbone,) = shared
    cut = [CUT + name.removeprefix(backbone) if "+" in name else name for name in names]
    return cut, backbone

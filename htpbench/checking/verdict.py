"""Verdicts: what was found of one clip, and of all clips in one line."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """What was found of one clip.

    name: of what. seen: the number. where: the clip, and the camera where it is of one. meaning:
    what it says, and what mends it. doubtful: False for what is worth a word and no fault.
    """

    name: str
    seen: str
    where: str
    meaning: str
    doubtful: bool = True


@dataclass(frozen=True)
class Verdict:
    """One line on a data set: its name, whether it is a doubt, and the whole text."""

    name: str
    doubtful: bool
    text: str


@dataclass
class Judged:
    """What was found of one take, and its numbers."""

    findings: list[Finding] = field(default_factory=list)
    thigh: float = math.nan  # mm
    away: float = math.nan  # px, a median

    def note(self, *findings: Finding | None) -> None:
        """Hold what was found."""
        self.findings += [one for one in findings if one is not None]

    def has(self, *names: str) -> bool:
        """Whether there is a doubt of one of some names."""
        return any(one.name in names and one.doubtful for one in self.findings)

    def drop(self, *names: str) -> None:
        """Forget what another finding explains."""
        self.findings = [one for one in self.findings if one.name not in names]


class Collected:
    """Findings of clip after clip; one verdict for all of a name and meaning's kind."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, bool], Finding] = {}
        self.clips: dict[tuple[str, bool], int] = {}
        self.judged = 0

    def add(self, findings: Iterable[Finding]) -> None:
        """Those of one clip, which counts once a name."""
        self.judged += 1
        names = set()
        for finding in findings:
            key = finding.name, finding.doubtful
            self.first.setdefault(key, finding)
            if key not in names:
                names.add(key)
                self.clips[key] = self.clips.get(key, 0) + 1

    def verdicts(self) -> list[Verdict]:
        """One a name, in the order in which they were found first."""
        return [
            Verdict(
                name,
                doubtful,
                f"{name}: {one.seen} ({one.where}): {one.meaning} "
                f"({self.clips[name, doubtful]} of {self.judged} clips)",
            )
            for (name, doubtful), one in self.first.items()
        ]

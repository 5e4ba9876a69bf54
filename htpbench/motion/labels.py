"""Whose files are, by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from htpbench.errors import BenchError

# A part of a name that says who it is: S1, subject12, p03, actor 2 ...
WHO = re.compile(r"(?:s|subj|subject|p|person|actor|performer)[ -]?\d+", re.IGNORECASE)
OTHERS = 3  # every third subject is for testing


class Labels:
    """Subjects, actions and splits of files by their names without suffix, folders included.

    The subject of NUMBER_TRIAL_ACTION is the number, as CMU names its files; else a part such as
    S1 or subject12; else the whole name. A pattern of the user replaces this. 7 and 07 are one.
    """

    def __init__(self, names: Sequence[str], pattern: str = "") -> None:
        self.names, self.pattern = names, compiled(pattern)
        self.whose = {name: self.found(name) for name in names}
        spelt: dict[str, str] = {}
        for subject in self.whose.values():  # of several spellings it is the longest
            plain = same(subject)
            spelt[plain] = max(spelt.get(plain, ""), subject, key=len)
        self.whose = {name: spelt[same(subject)] for name, subject in self.whose.items()}
        self.testing = set(sorted(set(self.whose.values()))[::OTHERS])

    @property
    def all_apart(self) -> bool:
        """Whether several names say nothing of a subject that any two of them share."""
        return len(self.names) > 1 and all(self.whose[name] == stem(name) for name in self.names)

    def found(self, name: str) -> str:
        """The subject as the name spells it."""
        if self.pattern:
            match = self.pattern.search(name)
            whose = match and (match[1] if self.pattern.groups else match[0])
            if whose is None:
                raise BenchError(
                    f"subject={self.pattern.pattern}: found nothing in {name!r}; expected a "
                    "pattern that finds whose each file is"
                )
            return whose
        first, *others = stem(name).split("_")
        if first.isdecimal():
            return first
        who = (each for each in (first, *others) if WHO.fullmatch(each))
        return next(who, stem(name))

    def subject(self, name: str) -> str:
        """Whose a file is."""
        return self.whose[name]

    def action(self, name: str) -> str:
        """What is done in it: the words beside the subject and numbers, "unknown" without."""
        whose, tokens = self.found(name), stem(name).split("_")
        if whose == stem(name):
            return "unknown"
        words = [each for each in tokens if each != whose and not each.isdecimal()]
        return " ".join(words) or "unknown"

    def split(self, name: str) -> Literal["train", "test"]:
        """What a file is for: nobody is in both."""
        return "test" if self.whose[name] in self.testing else "train"


def stem(name: str) -> str:
    """The name without the folders."""
    return name.rpartition("/")[2]


def same(subject: str) -> str:
    """What all spellings of a subject share: numbers without leading zeros, small letters."""
    return re.sub(r"\d+", lambda digits: str(int(digits[0])), subject.lower())


def compiled(pattern: str) -> re.Pattern | None:
    """A pattern of the user; BenchError where it is none."""
    try:
        return re.compile(pattern) if pattern else None
    except re.error as error:
        raise BenchError(f"subject={pattern}: no regular expression ({error}); mend it") from None

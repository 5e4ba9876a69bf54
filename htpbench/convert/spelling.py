"""Our key back to its official spelling: the rules of the cards, read from right to left."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable
from itertools import pairwise

from htpbench.network.weights import official_key, rules
from htpbench.systems.combination import Combination

MOST_CANDIDATES = 500


class Spelling:
    """How a combination's keys are spelled in a file that holds the keys `present`."""

    def __init__(self, combination: Combination, present: Iterable[str]) -> None:
        self.combination = combination
        self.present = sorted(present)
        self.shapes = {shape(one) for one in self.present}
        self.pairs = {pair for one in self.shapes for pair in pairwise(one)}

    def of(self, key: str) -> str:
        """The official key that becomes `key`, or `key` itself where none is found.

        Several may do, since rules lose what they do not match: it is the one that is built most
        like the keys that are present.
        """
        candidates = [key]  # fewest rules undone first
        for pattern, replacement in reversed(rules(self.combination)):
            made, template = undone(pattern, replacement)
            for candidate in candidates[:MOST_CANDIDATES]:
                for found in made.finditer(candidate):
                    before = candidate[: found.start()] + found.expand(template)
                    candidates.append(before + candidate[found.end() :])
        fitting = [one for one in candidates if official_key(one, self.combination) == key]
        return min(reversed(fitting), key=self.strangeness, default=key)

    def strangeness(self, key: str) -> tuple[bool, int, int]:
        """How unlike the keys that are present it is: by its shape, its parts and its start."""
        made = shape(key)
        place = bisect(self.present, key)  # its neighbours begin most like it
        near = [alike(key, one) for one in self.present[max(place - 1, 0) : place + 1]]
        new = len(set(pairwise(made)) - self.pairs)
        return made not in self.shapes, new, len(key) - max(near, default=0)


def shape(key: str) -> tuple[str, ...]:
    """What stands between the dots, last numbers alike."""
    return (*re.sub(r"\d+(?=\.)", "0", f"^.{key}.$").split("."),)


def alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def undone(pattern: str, replacement: str) -> tuple[re.Pattern, str]:
    """A rule the other way round: what it makes as an expression, what it takes as a template."""
    ahead = re.search(r"\(\?=.*?\)$", pattern)
    body = pattern[: ahead.start()] if ahead else pattern
    groups = re.findall(r"\(.*?\)", body)
    made = re.escape(replacement)
    for number, group in enumerate(groups, 1):
        made = made.replace(rf"\\{number}", group)
        body = body.replace(group, rf"\g<{number}>", 1)
    made = "^" * body.startswith("^") + made + "$" * body.endswith("$")
    return re.compile(made + (ahead.group() if ahead else "")), body.strip("^$").replace(r"\.", ".")

"""Our key back to its official spelling: the rules of the cards, read from right to left."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable
from itertools import pairwise

from htpbench.combination import Combination
from htpbench.weights import official_key, rules

MOST_CANDIDATES = 500


def official_spelling(key: str, combination: Combination, present: Iterable[str]) -> str:
    """The official key that becomes `key`, or `key` itself where none is found.

    Several may do, since rules lose what they do not match: it is the one that is built most like
    the keys that are present.
    """
    present = sorted(present)
    shapes = {shape(one) for one in present}
    known = {pair for one in shapes for pair in pairwise(one)}
    candidates = [key]  # fewest rules undone first
    for pattern, replacement in reversed(rules(combination)):
        made, template = undone(pattern, replacement)
        for candidate in candidates[:MOST_CANDIDATES]:
            for found in made.finditer(candidate):
                before = candidate[: found.start()] + found.expand(template)
                candidates.append(before + candidate[found.end() :])
    fitting = [one for one in candidates if official_key(one, combination) == key]

    def strangeness(one: str) -> tuple[bool, int, int]:
        new = len(set(pairwise(shape(one))) - known)
        place = bisect(present, one)  # its neighbours begin most like it
        near = [alike(one, other) for other in present[max(place - 1, 0) : place + 1]]
        return shape(one) not in shapes, new, len(one) - max(near, default=0)

    return min(reversed(fitting), key=strangeness, default=key)


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

"""The space of a search: every schedule of each backbone, with each pruner and recoverer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from math import comb
from typing import TYPE_CHECKING

from htpbench.systems.combination import Combination

if TYPE_CHECKING:
    from htpbench.study.search import Search
    from htpbench.study.study import Study


def ranks(search: Search, base: Combination) -> list[int]:
    """The r that a stage of a backbone may keep, rising."""
    return sorted(search.r or range(search.least, base.frames))


def places(search: Search, base: Combination) -> list[int]:
    """The b of a backbone that a stage may stand before, rising."""
    blocks = base.card.variants[base.variant].blocks
    return sorted(range(base.card.first, blocks) if search.b is None else search.b)


def deepest(search: Search, base: Combination) -> int:
    """The most stages that a backbone's space allows: r must fall and b must rise."""
    return min(search.stages, len(ranks(search, base)), len(places(search, base)))


def size(search: Search) -> int:
    """How many combinations the space has."""
    schedules = 0
    for base in search.bases:
        kept, before = len(ranks(search, base)), len(places(search, base))
        deep = deepest(search, base)
        schedules += sum(comb(kept, n) * comb(before, n) for n in range(1, deep + 1))
    return schedules * len(search.pruners) * len(search.recoverers)


def enumerated(search: Search) -> Iterator[Combination]:
    """Each combination of the space once, by backbone: fewer stages first, then by r and by b."""
    for base in search.bases:
        for stages in range(1, deepest(search, base) + 1):
            falling = combinations(reversed(ranks(search, base)), stages)
            rising = combinations(places(search, base), stages)
            for kept, before in product(falling, rising):
                schedule = tuple(zip(kept, before, strict=True))
                for pruner, recoverer in product(search.choosing, search.recovering):
                    yield replace(base, pruner=pruner, schedule=schedule, recoverer=recoverer)


def listed(study: Study) -> list[Combination]:
    """What a study measures whatever is found: its combinations, then all of a space that brute
    force searches, each once."""
    search = study.search
    whole = enumerated(search) if search and search.sampler == "brute" else ()
    return list(dict.fromkeys([*study.parsed(), *whole]))


def asked(study: Study) -> int:
    """How many combinations a sampler is asked for beside them."""
    search = study.search
    return 0 if search is None or search.sampler == "brute" else search.trials or 0

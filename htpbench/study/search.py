"""The [search] table of a study: a space of schedules, on one backbone or on several."""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from htpbench.errors import BenchError
from htpbench.outside.models import LISTED, Count, Strict, several
from htpbench.study import constraint, space
from htpbench.systems.combination import Combination, Part, parse, parse_part
from htpbench.systems.refusals import WHOLLY, refusals
from htpbench.systems.registry import PRUNERS, RECOVERERS

MOST_LISTED = 10**6  # combinations that brute force takes


class Search(Strict):
    """A space to search: 1 to `stages` stages, r from `least` up or one of `r`, before any block
    or one of `b`, on each backbone, and what a combination must keep to.

    Samplers: "tpe" and "nsga2" draw `trials` combinations, "brute" takes every one once. With
    `cascade` a combination is not measured further once it cannot be on the front any more.
    """

    backbone: str | tuple[str, ...]  # a combination without pruning, or several
    pruners: list[str] = Field(min_length=1)  # with options, as "htp~gamma=0"
    recoverers: list[str] = Field(min_length=1)
    stages: Count = 3
    least: Count = 3
    r: list[int] | None = Field(default=None, min_length=1)
    b: list[int] | None = Field(default=None, min_length=1)
    sampler: Literal["tpe", "nsga2", "brute"] = "tpe"
    trials: Count | None = None
    constraints: list[str] = Field(default=[])  # "cost.flops <= 0.2e9", "time.speedup >= 1.2"
    cascade: bool = True

    @property
    def backbones(self) -> tuple[str, ...]:
        """All that are searched."""
        return (self.backbone,) if isinstance(self.backbone, str) else self.backbone

    @cached_property
    def bases(self) -> list[Combination]:
        """The backbones that are searched, unpruned."""
        return [parse(name) for name in self.backbones]

    @cached_property
    def choosing(self) -> list[Part]:
        """The pruners with their options."""
        return [parse_part(text, PRUNERS, text) for text in self.pruners]

    @cached_property
    def recovering(self) -> list[Part]:
        """The recoverers with theirs."""
        return [parse_part(text, RECOVERERS, text) for text in self.recoverers]

    @field_validator("backbone", mode="before")
    @classmethod
    def plain(cls, backbone: Any) -> Any:
        """One backbone is a text, several are a tuple of texts."""
        return several(backbone, "backbone", "backbones")

    @model_validator(mode="after")
    def check(self) -> Search:
        """Names must exist, no space must be empty, and each sampler needs its length."""
        for parts, names in (
            (self.bases, self.backbones),
            (self.choosing, self.pruners),
            (self.recovering, self.recoverers),
        ):
            if len(set(parts)) < len(names):
                raise BenchError(f"search: {', '.join(names)}: expected each once")
        if self.r and "least" in self.model_fields_set:
            raise BenchError("search.least goes without search.r, which lists every r")
        for base in self.bases:
            self.check_space(base)
        if (self.sampler == "brute") == (self.trials is not None):
            raise BenchError(
                "search.trials is how many combinations a sampler draws; "
                'expected with "tpe" and "nsga2", and not with "brute", which takes all'
            )
        for text in self.constraints:
            constraint.parse(text)
        if self.sampler == "brute" and (count := space.size(self)) > MOST_LISTED:
            raise BenchError(
                f'search.sampler = "brute" would take {count:,} combinations; '
                f"expected at most {MOST_LISTED:,}: give r or b, or draw some of them with tpe"
            )
        return self

    def check_space(self, base: Combination) -> None:
        """BenchError for what a backbone has no place for."""
        if base.pruner:
            raise BenchError(f"search.backbone {str(base)!r}: expected a backbone alone")
        if self.least >= base.frames and not self.r:
            raise BenchError(f"search.least = {self.least}: expected less than F = {base.frames}")
        blocks = base.card.variants[base.variant].blocks
        numbers("r", self.r, 1, base.frames - 1)
        numbers("b", self.b, base.card.first, blocks - 1)
        for pruner, recoverer in product(self.choosing, self.recovering):
            if reason := refusals(base.backbone, pruner.name, recoverer.name).get(WHOLLY):
                raise BenchError(
                    f"search: {pruner} with {recoverer} on {base}: {reason}; leave it out"
                )


def numbers(name: str, given: list[int] | None, low: int, high: int) -> None:
    """BenchError for numbers of a search outside low..high, or given twice."""
    wrong = [one for one in given or () if not low <= one <= high]
    if wrong:
        raise BenchError(
            f"search.{name} has {wrong[:LISTED]}: expected numbers from {low} to {high}"
        )
    if len(set(given or ())) < len(given or ()):
        raise BenchError(f"search.{name} = {given}: expected each number once")

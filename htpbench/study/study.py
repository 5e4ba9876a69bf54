"""Studies: TOML files that say which combinations to measure, how, and for what."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, model_validator

from htpbench.errors import BenchError, unknown
from htpbench.outside.models import Count, Strict, faults
from htpbench.study import constraint
from htpbench.study.search import Search
from htpbench.study.settings import (
    EvaluationSettings,
    SamplingSettings,
    SlurmSettings,
    TimingSettings,
    Training,
)
from htpbench.systems.combination import Combination, parse
from htpbench.systems.registry import ENGINES, METERS


class Imports(BaseModel):
    """What must be imported before the rest of a study can be understood."""

    imports: list[Annotated[str, Field(min_length=1)]] = []  # files, as --import takes them


class Study(Imports, Strict):
    """A study; combinations, or a search space, or both (the combinations then come first)."""

    name: str = Field(pattern=r"^\w[\w .+-]*$", max_length=100)  # of files and folders
    title: str = Field(max_length=500)
    table: Count | None = None  # of the H2OT paper, when the study regenerates one
    claims: Literal["htp"] | None = None  # what a paper states in words, told beside the numbers
    meters: list[str] = Field(min_length=1)
    combinations: list[str] = Field(default=[])
    search: Search | None = None
    reference: str | None = None  # speed-ups refer to it; default: the first combination
    objectives: list[str] = Field(default=["time.speedup", "accuracy.mpjpe"], min_length=1)
    pipeline: Literal["seq2seq", "seq2frame"] | None = None  # default: what a combination says
    masked: bool = False  # the first pruning masks frames instead of removing them
    engine: str = "eager"  # what runs networks for time and accuracy, and how precisely
    precision: str = "float32"
    # A shipped name, a path, or "random"; or a table of them by what a combination begins with.
    weights: str | dict[str, str] | None = None
    training: Training | None = None  # instead of weights
    evaluation: EvaluationSettings = EvaluationSettings()
    timing: TimingSettings = TimingSettings()
    sampling: SamplingSettings = SamplingSettings()
    slurm: SlurmSettings = SlurmSettings()
    _called: str = PrivateAttr("")

    @property
    def called(self) -> str:
        """How a command names it: as the user did, a path for a shell."""
        return shlex.quote(self._called or self.name)

    def named(self, text: str) -> Study:
        """The same, as the user named it."""
        self._called = text
        return self

    @model_validator(mode="after")
    def check(self) -> Study:
        """Combinations must parse; accuracy needs weights; files are called after the study."""
        try:
            os.fsencode(self.name)
        except UnicodeEncodeError:
            raise BenchError(
                f"name {self.name!a}: file names cannot have these letters in this locale; "
                "choose others, or set PYTHONUTF8=1"
            ) from None
        if not self.combinations and not self.search:
            raise BenchError("a study needs `combinations` or a [search] space")
        for text in (*self.combinations, *filter(None, [self.reference])):
            parse(text)
        self.check_engine()
        if self.claims and (self.training or self.table):
            raise BenchError("`claims` goes without `table` and without [training]")
        if self.training and (self.weights or self.search):
            raise BenchError("[training] goes with `combinations`, without `weights` or [search]")
        if "" in self.named_weights():
            raise BenchError("`weights` name something, or are left out")
        for name in self.meters:
            if METERS.load(name).weights and not (self.weights or self.training):
                raise BenchError(f"the meter {name!r} needs weights (--weights) or [training]")
        if isinstance(self.weights, dict):
            for combination in (*self.parsed(), self.reference_combination(), *self.searched()):
                self.weights_of(combination)
        return self

    def check_engine(self) -> None:
        """BenchError where the engine is unknown, lacks the precision, or cannot mask frames."""
        precisions = ENGINES.load(self.engine).precisions
        if self.precision not in precisions:
            raise unknown(f"precision of {self.engine}", self.precision, precisions)
        if self.masked and (self.engine, self.precision) != ("eager", "float32"):
            raise BenchError("`masked` goes without `engine` and `precision`")

    def named_weights(self) -> list[str | None]:
        """All weights that the study names."""
        return [*self.weights.values()] if isinstance(self.weights, dict) else [self.weights]

    def has_weights(self, combination: Combination) -> bool:
        """Whether there are any for a combination, where the study names some."""
        with suppress(BenchError):
            self.weights_of(combination)
            return True
        return False

    def weights_of(self, combination: Combination) -> str:
        """The weights of a combination: those of the longest name of a table that it begins with.

        "mixste.tiny-81+tpc:27@1+tra", "mixste.tiny-81", "mixste.tiny" and "mixste" name such
        weights from the most to the least particular. BenchError where the table has none of them.
        """
        if not isinstance(self.weights, dict):
            return self.weights or ""
        backbone = combination.backbone
        whole = str(combination), str(combination.unpruned)
        names = *whole, f"{backbone}.{combination.variant}", backbone
        found = next((self.weights[name] for name in names if name in self.weights), None)
        if found is None:
            raise BenchError(
                f"weights has none for {combination}; expected an entry for one of "
                f"{', '.join(dict.fromkeys(names))}"
            )
        return found

    def parsed(self) -> list[Combination]:
        """The listed combinations, each once, in order."""
        return list(dict.fromkeys(parse(text) for text in self.combinations))

    def searched(self) -> list[Combination]:
        """The backbones whose space is searched."""
        return self.search.bases if self.search else []

    def constraints(self) -> list[constraint.Constraint]:
        """What a combination must keep to, to be on the front."""
        return [constraint.parse(text) for text in self.search.constraints] if self.search else []

    def with_overrides(
        self,
        data: Sequence[str] | None,
        weights: str | None,
        pipeline: str | None = None,
        timing: Mapping[str, Any] | None = None,
        protocol: str | None = None,
        **run: str | None,
    ) -> Study:
        """The same on other data, with other weights, used, timed or scored in another way.

        run: the engine and the precision.
        """
        changes: dict[str, Any] = {} if data is None else {"data": tuple(data)}
        changes |= {} if protocol is None else {"protocol": protocol}
        evaluation = EvaluationSettings.model_validate(self.evaluation.model_dump() | changes)
        asked = {"weights": weights, "pipeline": pipeline, **run}
        changed: dict[str, Any] = {k: value for k, value in asked.items() if value is not None}
        trained = {"training": None} if weights is not None else {}
        try:
            clock = TimingSettings.model_validate(self.timing.model_dump() | dict(timing or {}))
        except ValidationError as error:
            raise BenchError(faults(error)) from error
        changed |= {"evaluation": evaluation, "timing": clock}
        other = self.model_copy(update=changed | trained)
        other.check_engine()
        return other

    def reference_combination(self) -> Combination:
        """What speed-ups refer to."""
        if self.reference:
            return parse(self.reference)
        return self.parsed()[0] if self.combinations else self.search.bases[0]  # type: ignore

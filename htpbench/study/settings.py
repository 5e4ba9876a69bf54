"""The tables of a study that say how things are measured and trained."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import AliasChoices, Field, field_validator, model_validator

from htpbench.errors import BenchError
from htpbench.outside.models import Count, Seed, Strict, several


class EvaluationSettings(Strict):
    """What accuracy is measured on; `windows` keeps that many, evenly spaced or consecutive.

    Several data sets are joined: tested on all of them, trained on those with training clips.
    """

    data: str | tuple[str, ...] = "synthetic"
    detections: str | None = None  # None: those of the data
    protocol: str | None = None  # of htpbench.motion.protocols; None: the official one
    cameras: Literal["rotate", "all"] | None = None  # None: those of the data
    windows: Count | None = None
    spread: Literal["even", "consecutive"] = "even"
    stride: Count | None = None
    downsample: Count = 1  # 2, 3 and 4 make 25, 16.7 and 12.5 Hz of 50
    flip: bool = True

    @property
    def sources(self) -> tuple[str, ...]:
        """The data sets, each named as `--data` names it."""
        return (self.data,) if isinstance(self.data, str) else self.data

    @field_validator("data", mode="before")
    @classmethod
    def plain(cls, data: Any) -> Any:
        """One data set is a text, several are a tuple of texts."""
        named = [data] if isinstance(data, str) else data
        listed = isinstance(named, list | tuple) and all(isinstance(one, str) for one in named)
        if not listed or not named or "" in named:
            raise BenchError("`data` names something or lists such names, or is left out")
        if len(set(named)) < len(named):
            raise BenchError(f"`data` is {', '.join(named)}; expected each once")
        return named[0] if len(named) == 1 else tuple(named)

    @model_validator(mode="after")
    def check(self) -> EvaluationSettings:
        """Consecutive windows must be counted."""
        if self.spread == "consecutive" and self.windows is None:
            raise BenchError('spread = "consecutive" needs `windows`, the number of them')
        return self


class SamplingSettings(Strict):
    """How a diffusion lifter's poses are drawn: H, K, and the rule that makes one pose of H.

    `replay`: the mirrored call keeps the frames of the first. `rows` hypotheses are denoised at
    once, which takes memory and changes the time.
    """

    hypotheses: Count = 5
    iterations: Count = 5
    rule: Literal["p-agg", "j-agg"] = "p-agg"
    replay: bool = False
    rows: Count = 16


class TimingSettings(Strict):
    """How time is measured: rounds of at least `round_s` seconds in each of fresh `processes`.

    Batch 1 is latency; of several sizes the first is what tables show, the others tell throughput.
    `threads` of the CPU; default: torch's. `graph`: passes are replays of a CUDA graph.
    `training_batch`: windows of a training step that is timed; default: the reference's recipe's.
    """

    batch: Count | tuple[Count, ...] = 1
    rounds: Count = Field(default=5, ge=3)
    round_s: float = Field(default=0.1, gt=0, le=3600)
    processes: Count = Field(default=5, le=100)
    threads: Count | None = Field(default=None, le=1024)
    training_batch: Count | None = None
    graph: bool = False

    @field_validator("batch", mode="before")
    @classmethod
    def plain(cls, batch: Any) -> Any:
        """One size is a number, several are a tuple of numbers."""
        return several(batch, "batch", "sizes")

    @property
    def size(self) -> int:
        """The batch size that tables show."""
        return self.by_size()[0].batch  # type: ignore[return-value]

    def by_size(self) -> list[TimingSettings]:
        """The same at each batch size alone."""
        sizes = self.batch if isinstance(self.batch, tuple) else (self.batch,)
        return [self.model_copy(update={"batch": size}) for size in sizes]


class SlurmSettings(Strict):
    """What a job of a cluster may take; no number depends on it, and no row knows of it.

    Left out, `cpus` and `memory_gb` are what the cluster gives.
    """

    minutes: Count = 24 * 60  # submitit's own are five
    gpus: int = Field(default=0, ge=0, le=10**9)
    cpus: Count | None = None
    memory_gb: Count | None = None


class Training(Strict):
    """Networks that the study trains on its own data, once for each regime and seed.

    How weights come to a schedule: `same`, trained with it; `any`, trained once for all schedules;
    `transferred`, trained unpruned. What is not said stands in the backbone's recipe.
    """

    regimes: list[Literal["same", "any", "transferred"]] = Field(
        min_length=1, validation_alias=AliasChoices("regimes", "lineages")
    )
    seeds: list[Seed] = Field(min_length=1)
    steps: Count
    batch: Count | None = None
    rate: float | None = Field(default=None, gt=0)
    every_third: bool = False  # also the unpruned network at a third of the frame rate: a control

"""Recipes: how networks are trained, as data (TOML under baselines/recipes/), and one run's own."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from htpbench.errors import BenchError
from htpbench.learning.rates import Cosine, PerEpoch
from htpbench.outside import files
from htpbench.outside.models import Count, faults
from htpbench.systems import cards
from htpbench.systems.combination import Combination, parse
from htpbench.systems.shipped import data_folder

Optimiser = Literal["adamw", "adam", "amsgrad"]
LEAST = 3  # frames that training for any schedule keeps
SCHEDULES = f"one in four unpruned, else 1 to 3 stages, r log-uniform from {LEAST}"
# Fields that recipes of before do not have.
LATER = (
    "draws",
    "every",
    "held_out",
    "minutes",
    "ema_decay",
    "parts",
    "filmed",
    "detectors",
    "begin",
)
LossName = Literal["mixste", "mpjpe", "motionbert", "hdformer"]
LENGTHS = ("steps", "epochs", "minutes")  # one of them says how long a run is
Precision = Literal["float32", "bfloat16"]


class RecipeCard(BaseModel):
    """How one backbone is trained, and who says so."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    source: str
    optimiser: Optimiser
    rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    rate_schedule: Cosine | PerEpoch = Field(discriminator="kind")
    batch: Count  # windows
    steps: Count | None = None
    epochs: Count | None = None
    minutes: float | None = Field(default=None, gt=0)
    loss: LossName
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    parts: int = Field(default=1, ge=1, le=1024)
    filmed: float | None = Field(default=None, ge=0, le=1)
    detectors: tuple[str, ...] = ()
    differs: dict[str, str] = {}  # field -> why it is not what Table 1 of the H2OT paper prints

    @model_validator(mode="after")
    def check(self) -> RecipeCard:
        """A run has one length, and draws detectors for what it films."""
        if [self.steps, self.epochs, self.minutes].count(None) != 2:
            raise ValueError("expected one of `steps`, `epochs` and `minutes`")
        if self.detectors and self.filmed is None:
            raise ValueError("expected `filmed` beside `detectors`, which are of its views")
        return self


@cache
def shipped() -> dict[str, RecipeCard]:
    """The recipes that come with the package, by the names of their files."""
    folder = data_folder() / "baselines" / "recipes"
    return {path.stem: read(path) for path in sorted(folder.glob("*.toml"))}


def read(path: Path) -> RecipeCard:
    """One recipe from a TOML file; BenchError names every field that is wrong."""
    try:
        return RecipeCard.model_validate(files.load_toml(path))
    except ValidationError as error:
        raise BenchError(f"{path} is not a valid recipe: {faults(error)}; mend the file") from error
    except BenchError as error:
        raise BenchError(f"{path} is not a valid recipe: {error}; name another") from error


def find(combination: Combination) -> RecipeCard:
    """The recipe of the variant, else of the backbone, else the default."""
    backbone = combination.backbone
    for name in (f"{backbone}.{combination.variant}", backbone):
        if name in shipped():
            return shipped()[name]
    return shipped()["default"]


@dataclass(frozen=True)
class Recipe:
    """All that decides a training run; a checkpoint resumes only under the same recipe.

    An epoch is as many steps as whole batches fit into the training windows, which start a
    quarter of a window apart: see `htpbench.training.sampler.Sampler`.
    """

    combination: str
    data: tuple[str, ...]
    optimiser: Optimiser
    rate: float
    weight_decay: float
    rate_schedule: Cosine | PerEpoch
    batch: int
    loss: LossName
    steps: int | None = None  # this, epochs or minutes
    epochs: int | None = None
    precision: Precision = "float32"  # of the forward pass; loss and optimiser are float32
    detections: str = "cpn"
    any_schedule: bool = False
    seed: int = 0
    draws: tuple[str, ...] = ()  # for any schedule: pruners, recoverers, and how schedules come
    every: int = 1  # of the frames: 3 trains at a third of the rate
    held_out: tuple[str, ...] = ()  # training subjects that only choose the best weights
    minutes: float | None = None  # of computing: see htpbench.training.length
    ema_decay: float = 0.0  # decay of the moving average that is scored and written; 0: none
    parts: int = 1  # of a batch, each lifted by a thread of its own (CPU)
    # Each epoch films every clip anew: this share by drawn cameras, the others by one of the rig;
    # None: all by the whole rig, once.
    filmed: float | None = None
    detectors: tuple[str, ...] = ()  # those that are drawn from then; none: `detections`
    begin: str = ""  # weights that it begins with: a shipped name or a path; "": drawn ones

    def __post_init__(self) -> None:
        for name in ("steps", "epochs", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BenchError(f"--{name} {value}: expected 1 or more")
        lengths = self.steps, self.epochs, self.minutes
        if lengths.count(None) != 2:
            raise BenchError("expected one of --steps, --epochs and --minutes")
        if self.minutes is not None and not 0 < self.minutes < math.inf:
            raise BenchError(f"--minutes {self.minutes}: expected a number above 0")
        if not 0 < self.rate < math.inf:
            raise BenchError(f"--rate {self.rate}: expected a number above 0, for example 0.003")

    @classmethod
    def of(
        cls,
        combination: str,
        data: tuple[str, ...],
        card: RecipeCard | None = None,
        **changes: Any,
    ) -> Recipe:
        """The recipe of a card, by default the combination's own file.

        `changes` that are not None replace its fields.
        """
        parsed = parse(combination)
        card = card or find(parsed)
        made = {name: value for name, value in changes.items() if value is not None}
        own = {field.name: None for field in fields(cls)}
        given = {name: value for name, value in card if name in own}
        if made.keys() & set(LENGTHS):
            given |= dict.fromkeys(LENGTHS)
        if made.get("any_schedule"):
            made["draws"] = (*cards.shipped("pruner"), *cards.shipped("recoverer"), SCHEDULES)
        return cls(str(parsed), data, **(given | made))

    def plain(self) -> dict[str, Any]:
        """As JSON holds it; without what came later, where it is not used."""
        later = {one.name: one.default for one in fields(self) if one.name in LATER}
        held = asdict(self)
        used = {name: value for name, value in held.items() if value != later.get(name, ...)}
        return json.loads(json.dumps(used))

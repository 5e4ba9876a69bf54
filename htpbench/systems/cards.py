"""Model cards: what is known of a system without importing its code (TOML under baselines/)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from htpbench.errors import BenchError
from htpbench.outside import files
from htpbench.systems.shipped import data_folder

Scalar = bool | int | float | str


class Card(BaseModel):
    """What a combination string needs to know of a system, and whom to cite for it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    summary: str
    citation: str
    source: str | None = None  # where the official code lives
    licence: str | None = None  # of the official code; "none": it carries none
    implementation: str | None = None  # "module:attribute" of what comes with htpbench
    options: dict[str, Scalar] = {}  # option -> default
    keys: list[tuple[str, str]] = []  # official checkpoint key -> ours: regular expression, text


class Variant(BaseModel):
    """Hyper-parameters of one size of a backbone; the extra fields go to its constructor."""

    model_config = ConfigDict(extra="allow", frozen=True)

    blocks: int = Field(ge=0)
    frames: int | None = Field(default=None, ge=1)  # the one F that it takes; None: any
    root_relative: bool = False  # it is shown the person alone: see htpbench.network.conventions

    def parameters(self) -> dict[str, Any]:
        """All hyper-parameters of the constructor, `blocks` included."""
        return self.model_dump(exclude={"frames", "root_relative"})


class Normalisation(BaseModel):
    """Of a backbone's input and output: one line a joint, in its order; screen units and metres."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean_2d: list[tuple[float, float]]
    std_2d: list[tuple[float, float]]
    mean_3d: list[tuple[float, float, float]]
    std_3d: list[tuple[float, float, float]]


class Official(BaseModel):
    """How the original code scores on data of one layout, and what its networks say there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protocol: str  # of htpbench.motion.protocols
    pruned: str | None = None  # the same, where the study prunes its frames
    unit: str = "m"  # of what networks say: see htpbench.measuring.official


class BackboneCard(Card):
    """A backbone's card also says where it can be pruned and which sizes exist."""

    pipeline: Literal["seq2seq", "seq2frame"]  # what the original is used for
    default: str  # the variant that is not written
    variants: dict[str, Variant]
    one_pose: bool = False  # its head contracts the frames; as the class says
    first: int = 0  # lowest block index before which one can prune
    multiple_of: int = 1  # frame numbers that the original allows
    unit: Literal["m"] = "m"  # of the poses that come out
    joints: Literal["demo", "midpoint"] = "demo"  # how its demo makes 17 joints of a detector's
    order: list[int] = []  # our number of each of its joints, where its order is not ours
    normalisation: Normalisation | None = None
    refined: bool = False  # the original refines its poses by DiffPose's graph network
    official: dict[str, Official] = {}  # by the layout of data, where it is not what all do

    @model_validator(mode="after")
    def check(self) -> BackboneCard:
        """An order has every joint once."""
        if sorted(self.order) != [*range(len(self.order))]:
            raise ValueError("order: expected every joint from 0 on, each once")
        return self


FOLDERS: dict[str, type[Card]] = {
    "backbone": BackboneCard,
    "pruner": Card,
    "recoverer": Card,
}


@cache
def shipped(kind: str) -> dict[str, Card]:
    """The cards of one kind that come with the package, by name."""
    folder = data_folder() / "baselines" / f"{kind}s"
    return {path.stem: read(path, FOLDERS[kind]) for path in sorted(folder.glob("*.toml"))}


def read(path: Path, card: type[Card]) -> Card:
    """One card from a TOML file; BenchError names every field that is wrong."""
    try:
        return card.model_validate(files.load_toml(path))
    except (BenchError, ValidationError) as error:
        raise BenchError(f"{path} is not a valid card: {error}") from error

"""Training: how long a step takes beside the reference's, and what of it is which part."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from htpbench.meters import Found
from htpbench.meters.time import (
    Clocked,
    gained,
    of_processes,
    percent,
    rate,
    rounds,
    seconds,
    watched,
)
from htpbench.meters.time import conditions as timed
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination

if TYPE_CHECKING:
    from htpbench.learning.recipes import Recipe
    from htpbench.measuring.context import Context
    from htpbench.measuring.learning import Step

PARTS = ("forward", "backward", "optimiser")
NAMES = {"forward": "step", "clips_per_second": "windows_per_second"}  # of what a clock tells


class Training(Clocked):
    """One step after the recipe: forward with its loss, backward, optimiser."""

    turn = 35
    metrics = (
        seconds(
            name="training.step",
            clock="time",
            head="time of a training step",
            brief="training\nstep",
            first=True,
            terminal=True,
            bounded=True,
        ),
        gained(
            name="training.speedup",
            clock="gain",
            head="speed-up of a training step",
            brief="speed-up,\ntraining",
            first=True,
            terminal=True,
        ),
        rate(
            name="training.windows_per_second",
            clock="rate",
            head="training windows per second",
            decimals=2,
        ),
        *(seconds(name=f"training.{one}", head=f"{one} of a training step") for one in PARTS),
        percent(name="training.tells", head="tells speed-ups of training that differ by"),
        *watched("training"),
    )

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter; of a recipe what decides a step."""
        told = timed(context)
        for of_passes in ("batch", "graph"):
            told.pop(of_passes, None)
        return {**told, **of_recipe(combination), "training_batch": batch(context)}

    def together(
        self, context: Context, combinations: Sequence[Combination], begin: Callable[..., None]
    ) -> Iterator[Found]:
        """See Meter."""
        return rounds(context, combinations, begin, make, batch=batch(context), graph=False)

    def joined(self, found: Sequence[list[Measurement]]) -> list[Measurement]:
        """See Meter."""
        known, told = {metric.name for metric in self.metrics}, []
        for one in of_processes("training", found, labels=PARTS):
            name = one.metric.partition(".")[2]
            if name == "breakdown":
                parts = zip(PARTS, one.value, strict=True)  # type: ignore[arg-type]
                told += [Measurement(f"training.{part}", value) for part, value in parts]
            else:
                told.append(one._replace(metric=f"training.{NAMES.get(name, name)}"))
        return [one for one in told if one.metric in known]


def recipe(combination: Combination) -> Recipe:
    """The recipe of a combination, without data."""
    from htpbench.learning.recipes import Recipe

    return Recipe.of(str(combination), ())


def batch(context: Context) -> int:
    """Windows of a step, the same of all that a study compares: by default the reference's."""
    asked = context.study.timing.training_batch
    return asked or recipe(context.study.reference_combination()).batch


def of_recipe(combination: Combination) -> dict[str, Any]:
    """What decides a step on a batch."""
    how = recipe(combination)
    return {"optimiser": how.optimiser, "loss": how.loss}


def make(context: Context, combination: Combination) -> Step:
    """A network in training."""
    from htpbench.measuring.learning import Step

    return Step(recipe(combination), context.built(combination))

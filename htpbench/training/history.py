"""Scores during a training: a curve over test windows, and the weights that scored best so far."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from htpbench import metrics
from htpbench.learning.recipes import Recipe
from htpbench.measuring import scoring
from htpbench.measuring.evaluation import Evaluation, prepare
from htpbench.measuring.official import official
from htpbench.measuring.prediction import predict
from htpbench.motion.dataset import Dataset
from htpbench.motion.protocols import named
from htpbench.network import weights
from htpbench.outside import files
from htpbench.systems.combination import parse
from htpbench.training.checkpoint import Points
from htpbench.training.held_out import held_out
from htpbench.training.length import Length
from htpbench.training.trainee import Trainee

CHECKS = 10  # scores a run: enough to see a plateau
WINDOWS = 40  # that a score takes at most, evenly spaced over the test split
APART = 50  # least steps between two scores: they cost a tenth of the training, or less
NOTE = (
    "history, last and best are MPJPE in mm on the test subjects named in checked_on; best is "
    "chosen on those same subjects, as the papers do, and is therefore optimistic"
)
UNSCORED = "nothing was scored, for the data has no test clips"
HELD_OUT = (
    "history, last and best are MPJPE in mm on {}, of the training split but not trained on; "
    "best is chosen on this, and scores are of the test subjects"
)


class History:
    """The scores of one run on one data set; the best is kept on disk.

    They are of the recipe's held-out subjects in the first set, else of the first test subjects
    that there are, and where there are none nothing is scored. card: what the weights' card says
    besides the scores.
    """

    def __init__(
        self,
        recipe: Recipe,
        sets: Sequence[Dataset],
        length: Length,
        out: Path,
        card: dict[str, Any],
    ) -> None:
        tested = [sets[0]] if recipe.held_out else with_tests(sets)
        self.evaluation = checked_on(recipe, tested[0]) if tested else None
        on_test = NOTE if tested else UNSCORED
        held = ", ".join(recipe.held_out)
        self.note = HELD_OUT.format(held) if held else on_test
        self.length = length
        self.gap = max(-(-length.steps // CHECKS), APART)
        self.path = out / "best.safetensors"
        self.own = card
        self.points: Points = []

    def due(self, done: int) -> bool:
        """Whether the parameters are scored after `done` steps; after the last they are."""
        if self.evaluation is None or self.length.over(done):
            return self.length.over(done)
        if self.length.steps:
            return done % self.gap == 0
        last = self.points[-1][0] if self.points else 0
        return done - last >= APART and len(self.points) < int(CHECKS * self.length.share)

    def check(self, done: int, trainee: Trainee, device: str) -> None:
        """Score the parameters, in float32; write them where no earlier score was as good."""
        if self.evaluation is None:
            return
        views, how = self.evaluation.views, self.evaluation.protocol
        own = views, self.evaluation.windows
        found = predict(trainee.lifter[0], *own, device=device, protocol=how)
        poses, targets = (torch.from_numpy(x) for x in (found.poses, views.truth[found.rows]))
        self.points.append((done, metrics.mpjpe(poses, targets).mean(dtype=torch.float64).item()))
        if self.best == self.points[-1]:
            weights.write(self.path, trainee.state_dict(), self.card())

    @property
    def best(self) -> tuple[int, float]:
        """The least MPJPE and the steps after which it was found; the first of equals."""
        return min(self.points, key=lambda point: point[1])

    def card(self) -> dict[str, Any]:
        """The card of the weights as they are now."""
        found = {**self.own, "history": self.points, "note": self.note}
        if self.evaluation is None:
            return found
        ends = {"last": self.points[-1], "best": self.best}
        found |= {name: {"step": step, "mpjpe": error} for name, (step, error) in ends.items()}
        return found | {"checked_on": self.evaluation.card}


def with_tests(sets: Sequence[Dataset]) -> list[Dataset]:
    """Those that have test subjects."""
    return [one for one in sets if "test" in one.splits]


def checked_on(recipe: Recipe, data: Dataset) -> Evaluation:
    """What a run is scored on while it trains, of a data set."""
    combination = parse(recipe.combination)
    how = official(data.layout, combination.card)
    # Windows of frames that lie apart are those that the network learns.
    protocol = how.protocol if named(how.protocol).apart > 1 else "once"
    return prepare(
        held_out(data, recipe.held_out) if recipe.held_out else data,
        combination.frames,
        combination.pipeline(),
        recipe.detections,
        limit=WINDOWS,
        every=recipe.every,
        protocol=protocol,
        unit=how.unit,
    )


def final_scores(
    recipe: Recipe, trainee: Trainee, sets: list[Dataset], device: str
) -> list[dict[str, Any]]:
    """What the last weights score on the test subjects of each data set that has some."""
    combination = parse(recipe.combination)
    scores = []
    for one in with_tests(sets):
        how = official(one.layout, combination.card)
        where = prepare(
            one,
            combination.frames,
            combination.pipeline(),
            recipe.detections,
            limit=150,
            every=recipe.every,
            protocol=how.protocol,
            unit=how.unit,
        )
        own = where.views, where.windows
        lifted = predict(trainee.lifter[0], *own, device=device, protocol=where.protocol)
        found = scoring.measure(lifted, where)
        values = {one.metric: one.value for one in found if one.axis is None}
        scores.append({"combination": str(combination), **values, "conditions": where.card})
    return scores


def ends(path: Path) -> str:
    """The last and the best score in words, from the card beside a run's weights file."""
    card = files.load_json(path.with_suffix(".json"))
    if not card["history"]:
        return card["note"]
    last, best = (f"{card[x]['mpjpe']:.1f} mm at step {card[x]['step']}" for x in ("last", "best"))
    kept = path.with_name("best.safetensors")
    on_test = "the test subjects and so optimistic"
    chosen_on = on_test if card["note"] == NOTE else "a training subject that was held out"
    return f"last: {last}; best: {best}, in {kept}, chosen on {chosen_on}"

"""What pruning must beat, beside every study with accuracy; controls are no networks."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from htpbench.bench.job import Job, job, made
from htpbench.measuring import scoring
from htpbench.measuring.context import Context
from htpbench.measuring.controls import SPAN, STEP, every_third, mean_pose, smoothed
from htpbench.measuring.prediction import Prediction, predicted
from htpbench.meters.accuracy import RULED, names_of
from htpbench.records.measurement import Measurement
from htpbench.report.current import CONTROL, EVERY_THIRD
from htpbench.systems.catalogue import meter
from htpbench.systems.combination import Combination

MEAN_POSE = f"{CONTROL}: mean pose"
TRAINED_THIRD = f"{EVERY_THIRD}, trained so"
SMOOTHED = f"{CONTROL}: unpruned, smoothed over {SPAN} frames"
CONTROLS = {MEAN_POSE, EVERY_THIRD, TRAINED_THIRD, SMOOTHED}
METER = "accuracy"  # what controls are measured by
Ask = Callable[[], list[Measurement]]


def controls(context: Context) -> list[tuple[Job, Ask]]:
    """The mean pose, the unpruned network, it on every third frame, and its output smoothed.

    On the windows of the study's reference; [] in a study without accuracy, or without weights of
    the unpruned network. A network that was trained at a third of the frame rate is a control at
    that rate alone.
    """
    if METER not in context.study.meters:
        return []
    reference = context.study.reference_combination()
    here = context.under(pipeline=context.pipeline(reference))
    base = reference.unpruned
    if not context.study.has_weights(base):
        return []
    evaluation, network = here.evaluation(base), job(here, base, METER)
    metrics = [name for name in network.keys if name not in names_of(RULED)]
    blind = {**evaluation.card, "control": "mean pose"}
    thirds = {**network.conditions, "control": "every third frame"}
    smooth = {**network.conditions, "control": f"smoothed over {SPAN} frames"}
    if here.weights(base).card.get("recipe", {}).get("every") == STEP:
        own = made(here, TRAINED_THIRD, METER, metrics, thirds)
        return [(own, lambda: scoring.measure(slow(here, base), evaluation))]
    return [
        (
            made(here, MEAN_POSE, METER, metrics, blind),
            lambda: scoring.measure(mean_pose(evaluation), evaluation),
        ),
        (network, partial(meter(METER).measure, here, base)),
        (
            made(here, EVERY_THIRD, METER, metrics, thirds),
            lambda: scoring.measure(slow(here, base), evaluation),
        ),
        (
            made(here, SMOOTHED, METER, metrics, smooth),
            lambda: scoring.measure(smoothed(predicted(here, base), evaluation), evaluation),
        ),
    ]


def slow(context: Context, combination: Combination) -> Prediction:
    """What a combination says of every third frame."""
    lifter = context.run(context.lifter(combination))
    evaluation = context.evaluation(combination)
    flip = context.study.evaluation.flip
    return every_third(lifter, evaluation, flip, context.device, context.sampling)

"""Accuracy: errors of predicted poses, averaged over frames, with intervals over subjects."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from htpbench.errors import BenchError
from htpbench.meters import Meter, Watch
from htpbench.records.conditions import beyond
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric, by_clip, of_clips
from htpbench.systems.registry import METRICS, digest

if TYPE_CHECKING:
    from htpbench.measuring.context import Context

FRAMES, ACTIONS = "accuracy.frames_by_clip", "accuracy.actions_by_clip"
VELOCITIES, ACCELERATIONS = "accuracy.velocities_by_clip", "accuracy.accelerations_by_clip"


def error(name: str, counts: str = FRAMES, **more: Any) -> Metric:
    """An error that is told by clip as well; `counts`: over how many the mean of a clip is."""
    named = f"accuracy.{name}"
    fields = {"name": named, "unit": "mm", "paired_by": (f"{named}_by_clip", counts)}
    return Metric(**(fields | more))  # type: ignore[arg-type]


# Other instruction sets and threads moved errors by 3e-6 mm at most, where no kept frame changed;
# elsewhere a pruner that looks at its input may keep another.
TOLERANCE = (1e-4, 0.05)  # mm
OF_H36M = (
    *("videopose3d", "mixste", "d3dp", "hot", "motionbert"),
    *("stcformer", "pstmo", "uplift", "uplift-81", "hdformer"),
)
OF_3DHP = ("3dhp", "3dhp-centre")
SINGLE = (
    error(
        "mpjpe",
        head="MPJPE",
        brief="MPJPE",
        first=True,
        terminal=True,
        bounded=True,
        tolerance=TOLERANCE,
    ),
    error("p_mpjpe", head="P-MPJPE", tolerance=TOLERANCE),
    error("n_mpjpe", head="N-MPJPE"),
    error("pck", unit="%", head="PCK at 150 mm", brief="PCK", better="more", official=OF_3DHP),
    error("auc", unit="%", head="AUC to 150 mm", brief="AUC", better="more", official=OF_3DHP),
)
MOTION = (  # need frames that follow each other
    error("mpjve", VELOCITIES, unit="mm/frame", head="MPJVE", decimals=2),
    error(
        "acceleration_error",
        ACCELERATIONS,
        unit="mm/s^2",
        head="acceleration error",
        read="m/s^2",
        scale=1e3,
        decimals=2,
    ),
)
RULED = (  # what each rule makes of the same hypotheses, where poses were sampled
    error("mpjpe_p_agg", head="MPJPE, P-Agg"),
    error("mpjpe_j_agg", head="MPJPE, J-Agg"),
    error("mpjpe_p_best", head="MPJPE, P-Best (uses the ground truth)"),
    error("mpjpe_j_best", head="MPJPE, J-Best (uses the ground truth)"),
)
BY_CAMERAS = tuple(metric for metric in RULED if "j_agg" in metric.name)
ACTION_MEAN = error(
    "mpjpe_action_mean",
    head="MPJPE, mean of actions",
    brief="mean of\nactions",
    official=OF_H36M,
    paired_by=("accuracy.mpjpe_by_clip", FRAMES, ACTIONS),
)
DELTA = Metric(
    name="accuracy.delta",
    unit="mm",
    derived=True,
    to_reference=True,
    head="MPJPE minus the reference's",
    brief="minus\nref.'s",
    decimals=2,
    first=True,
    terminal=True,
    bounded=True,
)


def counted(name: str) -> Metric:
    """How many of something each clip has."""
    return Metric(name=name, kind="by_clip", better=None)


class Accuracy(Meter):
    """Each error is told by clip too, so that two networks can be compared clip by clip."""

    turn = 40
    version = 3
    weights = True
    metrics = (
        SINGLE[0],
        DELTA,
        ACTION_MEAN,
        *RULED,
        *SINGLE[1:],
        *MOTION,
        *map(by_clip, (*SINGLE, *MOTION, *RULED)),
        *map(counted, (VELOCITIES, ACCELERATIONS)),
        *of_clips("accuracy", "action", "subject"),
    )

    @classmethod
    def declared(cls) -> tuple[Metric, ...]:
        """See Meter; those of METRICS are measured as well."""
        return (
            *cls.metrics,
            *further(tuple((name, METRICS.load(name)) for name in METRICS.names())),
        )

    def applies(self, context: Context, combination: Combination) -> tuple[Metric, ...]:
        """See Meter; what needs hypotheses, or three frames that follow each other, may not."""
        evaluation = context.evaluation(combination)
        seq2frame = context.pipeline(combination) == "seq2frame"
        mirrored = seq2frame and combination.schedule and context.study.evaluation.flip
        if mirrored and context.ran_by and not context.sampled(combination):
            raise BenchError(
                f"{combination} in seq2frame keeps the same frames of a clip and of its mirror "
                "image, which an engine cannot be told: leave out the engine and the precision, or "
                "set flip = false below [evaluation] of a study"
            )
        every = seq2frame or combination.recovered is None
        _ = evaluation.views.truth  # BenchError without, before anything is lifted
        mixed = evaluation.protocol.mixes(evaluation.windows)
        drawn = context.sampled(combination) and not mixed
        left_out = set() if drawn else names_of(RULED)
        if evaluation.views.cameras is None:
            left_out |= names_of(BY_CAMERAS)
        if not (every and evaluation.following(evaluation.rows, 2).any()):
            left_out |= names_of(MOTION) | {VELOCITIES, ACCELERATIONS}
        return tuple(m for m in super().applies(context, combination) if m.name not in left_out)

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter."""
        from htpbench.measuring.prediction import ALONE

        drawn = context.sampled(combination)
        one_frame = context.pipeline(combination) == "seq2frame"
        replayed = context.sampling.replay if drawn else one_frame
        return {
            **context.scored(combination),
            **context.ran_by,
            **drawn,
            "flip": context.study.evaluation.flip,
            "flip_selection": "reused" if replayed else "own",
            **beyond(alone=(context.study.precision in ALONE, False)),
        }

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter; `watch` gets poses as they come."""
        from htpbench.measuring import scoring
        from htpbench.measuring.prediction import predicted

        evaluation = context.evaluation(combination)
        found = scoring.measure(predicted(context, combination, watch), evaluation)
        # Of frames that were recovered in part, three that follow each other are chance.
        promised = {metric.name for metric in self.applies(context, combination)}
        return [one for one in found if one.metric in promised]


@cache
def further(named: tuple[tuple[str, type], ...]) -> tuple[Metric, ...]:
    """The metrics of METRICS, single and by clip; BenchError for a name that is taken."""
    found = []
    for name, cls in named:
        if any(f"accuracy.{name}" == metric.name for metric in Accuracy.metrics):
            raise BenchError(
                f"the metric name {name!r} is taken by htpbench itself; choose another"
            )
        fields = {"head": cls.head, "unit": cls.unit, "better": cls.better}
        one = error(name, **fields, decimals=cls.decimals, code=digest(cls))
        found += [one, by_clip(one)]
    return tuple(found)


def names_of(metrics: tuple[Metric, ...]) -> set[str]:
    """The names of metrics and of those that hold them by clip."""
    return {name for metric in metrics for name in (metric.name, metric.paired_by[0])}

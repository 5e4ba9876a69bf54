"""Selection: which frames of a window survive all pruning, and how good their detections are."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from htpbench.meters import Meter, Watch
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric, by_clip, of_clips
from htpbench.systems.registry import PRUNERS

if TYPE_CHECKING:
    from htpbench.measuring.context import Context

frames = partial(Metric, kind="list", better=None, of_frames=True)
KEPT = "selection.kept"
WINDOWS = "selection.windows"  # of consecutive windows alone
STAGES, LINKS = "selection.stages", "selection.links"  # of pruners that have a graph of frames

NOISE = Metric(
    name="selection.frame_noise",
    unit="px",
    head="frame noise",
    decimals=2,
    paired_by=("selection.frame_noise_by_clip", "selection.frames_by_clip"),
)
OF_NOISE = (NOISE, by_clip(NOISE), *of_clips("selection", "subject"))  # exact 2D must be known


class Selection(Meter):
    """The frames that the network keeps of the study's windows."""

    turn = 50
    weights = True
    of_some = True
    metrics = (
        Metric(name="selection.frequency", kind="list", better=None, labels=r"[0-9]{1,5}"),
        frames(name=KEPT, labels=r"window [0-9]{1,7}, rank [0-9]{1,5}"),
        *OF_NOISE,
        frames(name=WINDOWS, labels=r"[0-9]{1,7}"),
        frames(name=STAGES, labels=r"window [0-9]{1,2}, stage [0-9]{1,2}"),
        frames(name=LINKS, labels=r"[0-9]{1,5}"),
    )

    def applies(self, context: Context, combination: Combination) -> tuple[Metric, ...]:
        """See Meter; an unpruned network selects nothing."""
        if combination.pruner is None:
            return ()
        from htpbench.measuring.kept import has_graph

        left_out = set() if context.study.evaluation.spread == "consecutive" else {WINDOWS}
        if not context.evaluation(combination).views.projects:
            left_out |= {metric.name for metric in OF_NOISE}
        if not has_graph(PRUNERS.load(combination.pruner.name)):
            left_out |= {STAGES, LINKS}
        return tuple(metric for metric in self.metrics if metric.name not in left_out)

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter."""
        first_call = {"noise_seed": context.seed} if context.sampled(combination) else {}
        return {**context.scored(combination), **first_call}

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter."""
        from htpbench.measuring import kept

        lifter, evaluation = context.lifter(combination), context.evaluation(combination)
        return kept.measure(lifter, evaluation, context.device, context.seed)

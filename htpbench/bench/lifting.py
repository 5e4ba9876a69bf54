"""Lifting: what a combination says of a study's test split, as tracks and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from htpbench.diffusion.sampler import denoises
from htpbench.measuring.context import Context
from htpbench.measuring.evaluation import Evaluation
from htpbench.measuring.kept import survivors
from htpbench.measuring.prediction import Prediction, Tell, predict
from htpbench.motion.framing import Framing
from htpbench.motion.resampling import between
from htpbench.motion.showing import AS_IT_IS, Showing, shown
from htpbench.motion.video import Video
from htpbench.poses import files
from htpbench.poses.recorded import recorded
from htpbench.poses.track import Kept, Track
from htpbench.systems.catalogue import meter
from htpbench.systems.combination import Combination

# Of what rows of accuracy say, what means nothing where nothing is scored.
SCORING = {"split", "cameras", "motion_seed", "windows", "missing_joints", "mean_over", "mean_pose"}


def quiet(done: int, total: int) -> None:
    """Say nothing of the windows that are lifted."""


def save(
    path: Path,
    context: Context,
    combination: Combination,
    showing: Showing = AS_IT_IS,
    tell: Tell = quiet,
) -> str:
    """Write what `lift` says to a file, whose suffix names its format; returns what that changed.

    BenchError where the path cannot be written, or is anything but new or poses: before long work.
    """
    files.check(path, len(context.evaluation(combination).views.start))
    return files.write(path, lift(context, combination, showing, tell))


def lift(
    context: Context,
    combination: Combination,
    showing: Showing = AS_IT_IS,
    tell: Tell = quiet,
) -> list[Track]:
    """A track of each view of the test split; `tell` gets the windows that are lifted, and all.

    Of a video there is a pose for each of its frames, whatever rate the network works at; between
    frames that were lifted poses are interpolated.
    """
    evaluation = context.evaluation(combination)
    views, framings = shown(evaluation.views, showing)
    evaluation = replace(evaluation, views=views)
    lifter = context.lifter(combination)
    how = context.study.evaluation.flip, context.device
    found = predict(lifter, views, evaluation.windows, *how, sampling=context.sampling, tell=tell)
    stages: Sequence[np.ndarray] = found.kept
    if denoises(lifter) and lifter.schedule:  # of the first call alone
        stages = survivors(lifter, evaluation, context.seed)
    told = {
        "combination": str(combination),
        **context.conditions(combination),
        **meter("accuracy").conditions(context, combination),
        **showing.told(),
    }
    return [
        track(context.evaluation(combination), view, one, found, stages, told)
        for view, one in enumerate(framings)
    ]


def track(
    evaluation: Evaluation,
    view: int,
    framing: Framing,
    found: Prediction,
    stages: Sequence[np.ndarray],
    told: dict[str, Any],
) -> Track:
    """What was found of a view, at the frames of the video or at those of the view."""
    views, known = evaluation.views, recorded(evaluation.views, view)
    start, stop, rate = views.start[view], views.stop[view], float(views.rates[view])
    a, b = np.searchsorted(found.rows, [start, stop])
    at = (found.rows[a:b] - start) / rate  # (n,) s
    wanted = np.arange(len(known.poses)) / known.rate
    video = isinstance(views.clips[views.clip[view]], Video)
    return replace(
        known,
        poses=between(framing.back(found.poses[a:b]), at, wanted),
        truth=None if views.poses3d is None else known.poses,
        kept=kept(evaluation, view, stages, rate),
        told={name: one for name, one in told.items() if not (video and name in SCORING)},
    )


def kept(
    evaluation: Evaluation, view: int, stages: Sequence[np.ndarray], rate: float
) -> Kept | None:
    """The frames that each stage kept of the windows of a view."""
    if not stages:
        return None
    windows = evaluation.windows
    own = np.flatnonzero(windows.view == view)
    marks = np.zeros((len(stages), len(own), windows.frames), dtype=bool)
    for mark, stage in zip(marks, stages, strict=True):
        np.put_along_axis(mark, stage[own], True, axis=1)
    return Kept(windows.first[own], marks, rate)

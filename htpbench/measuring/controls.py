"""What any pruning must beat: the mean pose, fewer frames of the video, a smoothed output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from htpbench.diffusion.sampler import Sampling
from htpbench.measuring.evaluation import Evaluation
from htpbench.measuring.prediction import Prediction, predict
from htpbench.motion.protocols import ONCE, cut
from htpbench.motion.views import downsample
from htpbench.network.lifter import Lifter

STEP = 3  # frames from one to the next at a third of the rate
SPAN = 5  # frames that are averaged


def mean_pose(evaluation: Evaluation) -> Prediction:
    """Always the mean pose."""
    rows = evaluation.rows
    assert evaluation.mean_pose is not None
    return Prediction(rows, np.repeat(evaluation.mean_pose[None], len(rows), axis=0))


def every_third(
    lifter: Lifter,
    evaluation: Evaluation,
    augment: bool,
    device: str,
    sampling: Sampling | None = None,
) -> Prediction:
    """The lifter at a third of the frame rate, poses interpolated linearly in between.

    Its windows are F frames of the slower video, so that it costs a third for a second of motion.
    Frames after a view's last third take the pose of that one.
    """
    rows, views = evaluation.rows, evaluation.views
    slow = downsample(views, STEP)
    view = views.view_of(rows)  # (n,)
    place = (rows - views.start[view]) / STEP  # in frames of the slow view
    before = slow.start[view] + place.astype(np.int64)  # (n,) rows of the slow views
    after = np.minimum(before + 1, slow.stop[view] - 1)
    windows = cut(slow, evaluation.windows.frames, evaluation.card["pipeline"])
    wanted = np.zeros(len(slow.poses2d), dtype=bool)
    wanted[before] = wanted[after] = True
    windows = windows.scoring(wanted)
    how = replace(ONCE, root=evaluation.protocol.root)
    known = predict(lifter, slow, windows, augment, device, sampling=sampling, protocol=how)
    first, second = (known.poses[np.searchsorted(known.rows, at)] for at in (before, after))
    part = (place % 1.0).astype(np.float32)[:, None, None]
    return Prediction(rows, (1 - part) * first + part * second)


def smoothed(prediction: Prediction, evaluation: Evaluation) -> Prediction:
    """The poses averaged over SPAN frames around each: fewer near the ends of what follows.

    Frames of clips that were recorded slower than they are told stay as they are.
    """
    rows, poses = prediction.rows, prediction.poses.astype(np.float64)
    runs = np.concatenate([[0], np.cumsum(~evaluation.following(rows, 1))])  # (n,) the run of each
    _, first, length = np.unique(runs, return_index=True, return_counts=True)
    place = np.arange(len(rows)) - first[runs]
    reach = np.minimum(np.minimum(place, length[runs] - 1 - place), SPAN // 2)  # (n,)
    sums = poses.copy()
    for step in range(1, SPAN // 2 + 1):
        inside = np.flatnonzero(reach >= step)
        sums[inside] += poses[inside - step] + poses[inside + step]
    mean = sums / (2 * reach + 1)[:, None, None]
    return Prediction(rows, mean.astype(np.float32))

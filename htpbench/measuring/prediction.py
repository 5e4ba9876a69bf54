"""What a lifter says of a motion: one pose for each frame that the windows score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from htpbench.diffusion.aggregate import settle
from htpbench.diffusion.sampler import HypothesisSampler, Sampling, denoises
from htpbench.measuring.context import Context
from htpbench.measuring.evaluation import Evaluation
from htpbench.motion.skeleton import flip
from htpbench.motion.views import Views
from htpbench.motion.windows import Windows
from htpbench.network.checks import check_values
from htpbench.network.contracts import Lifted
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import Combination

Tell = Callable[[int, int], None]
Watch = Callable[[Evaluation, np.ndarray, np.ndarray], None]  # rows (n,), poses (n, J, 3)
BATCH = 16  # windows a forward pass; does not change any number


@dataclass(frozen=True, eq=False)
class Prediction:
    """Poses (n, J, 3) float32, mm, root 0, of the rows (n,) of Views: ascending, each once.

    hypotheses (n, H, J, 3): what the poses were made of, where they were sampled. kept: of each
    pruning the frames (W, r) int32 that it kept of each window; () where poses were sampled.
    """

    rows: np.ndarray
    poses: np.ndarray
    hypotheses: np.ndarray | None = None
    kept: tuple[np.ndarray, ...] = ()


def check_kept(lifter: Lifter, lifted: Lifted) -> None:
    """Faulty unless the frames that a pass kept are as positions must be."""
    for kept in lifted.kept:
        keep = kept.new_tensor([lifter.centre]) if lifter.centred else None
        check_values(kept, lifter.frames, keep, lifter.pruner)


def lift(
    lifter: Lifter, poses2d: Tensor, augment: bool
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Poses (B, f, J, 3) in mm, root 0, their frame numbers (B, f), and those kept of each stage.

    With `augment` the mean of the clip and its mirror image; where poses come out at kept frames
    only, the mirrored pass replays what the first kept, as the official TPC test does.
    """
    lifted: Lifted = lifter(poses2d)
    check_kept(lifter, lifted)
    if lifter.centred and not (lifted.frames == lifter.centre).any(dim=1).all():
        raise ValueError(f"{type(lifter.recoverer).__name__} lost the centre frame")
    poses = lifted.poses
    if augment:
        replay = lifted.kept if lifter.centred else None
        poses = (poses + flip(lifter(flip(poses2d), replay=replay).poses)) / 2
    poses = (poses - poses[..., :1, :]) * 1000.0  # metres to mm, root to 0
    return poses, lifted.frames, lifted.kept


def draw(
    whole: HypothesisSampler, poses2d: Tensor, clips: np.ndarray
) -> tuple[Tensor, Tensor, tuple[()]]:
    """Hypotheses (B, F, H, J, 3) in mm, root 0, and the frame numbers (B, F)."""
    noise = whole.noise(clips.tolist()).to(poses2d.device)
    while True:
        try:
            poses = whole(poses2d, noise).transpose(1, 2)  # (B, F, H, J, 3)
            break
        except torch.OutOfMemoryError:
            if whole.rows == 1:
                raise
            whole.rows //= 2
    frames = torch.arange(whole.frames, device=poses.device).expand(len(poses), -1)
    return (poses - poses[..., :1, :]) * 1000.0, frames, ()


def predict(
    lifter: Lifter,
    views: Views,
    windows: Windows,
    augment: bool = True,
    device: str = "cpu",
    watch: Callable[[np.ndarray, np.ndarray], None] | None = None,
    sampling: Sampling | None = None,
    tell: Tell = lambda done, total: None,
) -> Prediction:
    """Poses of the frames that the windows score, as far as the lifter returns them.

    A row that several windows score is the mean of what they say, weighted by how near it is to
    their middle. `watch` gets rows and poses as soon as they are final, and may raise; `tell` the
    windows that are done, and all. A lifter that denoises is sampled from; the noise of a window
    goes by its first row.
    """
    lifter = lifter.eval().to(device)
    sampling = sampling or Sampling()
    whole = HypothesisSampler(lifter, sampling, augment) if denoises(lifter) else None
    if whole and sampling.rule == "j-agg":
        _ = views.lens(0)  # BenchError without cameras, before anything is lifted
    rows, poses, weights, trails, overlap = [], [], [], [], windows.overlap
    for first in range(0, len(windows), BATCH):
        shown = windows[first : first + BATCH]
        index = shown.index  # (B, F)
        poses2d = views.poses2d.take(index, axis=0)[..., : lifter.backbone.channels]
        clips = torch.from_numpy(poses2d).to(device)
        with torch.inference_mode():  # not around `to`, which would end the lifter's training
            found = draw(whole, clips, index[:, 0]) if whole else lift(lifter, clips, augment)
        lifted, frames = (x.cpu().numpy() for x in found[:2])
        scored = np.take_along_axis(shown.scored, frames, 1)  # (B, f)
        rows.append(np.take_along_axis(index, frames, 1)[scored])
        poses.append(lifted[scored])  # (n, J, 3), or (n, H, J, 3) where they were sampled
        weights.append(nearness(frames[scored], windows.frames))
        trails.append([kept.cpu().numpy().astype(np.int32) for kept in found[2]])
        if watch and not overlap:
            one = settle(sampling.rule, poses[-1], rows[-1], views) if whole else poses[-1]
            watch(rows[-1], one)
        tell(min(first + BATCH, len(windows)), len(windows))
    kept, drawn = blend(*(np.concatenate(each) for each in (rows, poses, weights)))
    settled = settle(sampling.rule, drawn, kept, views) if whole else drawn
    if watch and overlap:
        watch(kept, settled)
    stages = tuple(np.concatenate(stage) for stage in zip(*trails, strict=True))
    return Prediction(kept, settled, drawn if whole else None, stages)


def nearness(frames: np.ndarray, length: int) -> np.ndarray:
    """(n,) float32 how near frames (n,) are to a window's middle, which has 1; its ends > 0."""
    half = (length + 1) / 2
    return (1 - np.abs(frames + 1 - half) / half).astype(np.float32)


def blend(
    rows: np.ndarray, poses: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (m,), ascending, each once, and the weighted means of the poses (n, ...) of each."""
    kept, where, copy = np.unique(rows, return_index=True, return_inverse=True)
    if len(kept) == len(rows):
        return kept, poses[where]
    shape = (-1, *[1] * (poses.ndim - 1))
    share = weights / np.bincount(copy, weights)[copy].astype(np.float32)  # of a row: they sum to 1
    mixed = np.zeros((len(kept), *poses.shape[1:]), np.float32)
    np.add.at(mixed, copy, poses * share.reshape(shape))
    return kept, mixed


def predicted(context: Context, combination: Combination, watch: Watch | None = None) -> Prediction:
    """The poses that accuracy is measured of, those of a diffusion lifter aggregated.

    `watch(evaluation, rows, poses)` gets them as they come.
    """
    lifter, evaluation = context.lifter(combination), context.evaluation(combination)
    clips = evaluation.views, evaluation.windows, context.study.evaluation.flip, context.device
    watching = partial(watch, evaluation) if watch else None
    return predict(lifter, *clips, watching, context.sampling)

"""What a lifter says of a motion: one pose for each frame that the windows score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from htpbench.diffusion.sampler import HypothesisSampler, Sampling, denoises
from htpbench.measuring.context import Context
from htpbench.measuring.evaluation import Evaluation
from htpbench.measuring.ruled import Ruled
from htpbench.motion.filling import filling
from htpbench.motion.protocols import ONCE, Protocol
from htpbench.motion.skeleton import flip
from htpbench.motion.views import Views
from htpbench.motion.windows import Windows
from htpbench.network.checks import check_values
from htpbench.network.contracts import Lifted
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import Combination

Tell = Callable[[int, int], None]
Watch = Callable[[Evaluation, np.ndarray, np.ndarray], None]  # rows (n,), poses (n, J, 3)
BATCH = 16  # windows a forward pass, which changes no number
ALONE = {"int8": 1}  # but here, where all of a pass is scaled by its largest: as it is timed


@dataclass(frozen=True, eq=False)
class Prediction:
    """Poses (n, J, 3) float32, mm, of the rows (n,) of Views.

    Rows are ascending and each once; where a protocol counts more than that, they come window after
    window as often as windows score them. kept: of each pruning the frames (W, r) int32 that it
    kept of each window; () where poses were sampled. ruled: MPJPE (n,) mm of what each rule makes
    of the hypotheses, where they were sampled, there is a truth, and no poses were blended.
    """

    rows: np.ndarray
    poses: np.ndarray
    kept: tuple[np.ndarray, ...] = ()
    ruled: dict[str, np.ndarray] = field(default_factory=dict)


def check_kept(lifter: Lifter, lifted: Lifted) -> None:
    """Faulty unless the frames that a pass kept are as positions must be."""
    for kept in lifted.kept:
        keep = kept.new_tensor([lifter.centre]) if lifter.centred else None
        check_values(kept, lifter.frames, keep, lifter.pruner)


def lift(
    lifter: Lifter, poses2d: Tensor, augment: bool
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Poses (B, f, J, 3) as the network says them, their frames (B, f), those kept of each stage.

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
    return poses, lifted.frames, lifted.kept


def draw(
    whole: HypothesisSampler, poses2d: Tensor, clips: np.ndarray
) -> tuple[Tensor, Tensor, tuple[()]]:
    """Hypotheses (B, F, H, J, 3) as the network says them, and the frame numbers (B, F)."""
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
    return poses, frames, ()


def placed(poses: Tensor, root: str) -> Tensor:
    """Poses (..., J, 3) with the root as a protocol has it."""
    if root == "subtracted":
        return poses - poses[..., :1, :]
    if root == "zeroed":
        return torch.cat([torch.zeros_like(poses[..., :1, :]), poses[..., 1:, :]], dim=-2)
    return poses


def predict(
    lifter: Lifter,
    views: Views,
    windows: Windows,
    augment: bool = True,
    device: str = "cpu",
    watch: Callable[[np.ndarray, np.ndarray], None] | None = None,
    sampling: Sampling | None = None,
    tell: Tell = lambda done, total: None,
    protocol: Protocol = ONCE,
    batch: int | None = None,
) -> Prediction:
    """Poses of the frames that the windows score, as far as the lifter returns them.

    A row that several windows score is the mean of what they say, weighted by how near it is to
    their middle or evenly, unless the protocol counts each; a protocol may fill in what lies
    between. `watch` gets valid rows and their poses as soon as they are final, and may raise;
    `tell` the windows that are done, and all. A lifter that denoises is sampled from; the noise of
    a window goes by its first row.
    """
    lifter = lifter.eval().to(device)
    sampling = sampling or Sampling()
    whole = HypothesisSampler(lifter, sampling, augment) if denoises(lifter) else None
    mixes = protocol.mixes(windows)
    final = protocol.counts == "windows" or not (mixes or windows.overlap)
    ruled = Ruled.of(views, sampling.rule) if whole else None
    rows, poses, weights, trails = [], [], [], []
    batch = batch or BATCH
    for first in range(0, len(windows), batch):
        shown = windows[first : first + batch]
        index = shown.index  # (B, F)
        poses2d = views.poses2d.take(index, axis=0)[..., : lifter.backbone.channels]
        clips = torch.from_numpy(poses2d).to(device)
        with torch.inference_mode():  # not around `to`, which would end the lifter's training
            found = draw(whole, clips, index[:, 0]) if whole else lift(lifter, clips, augment)
            said = placed(found[0], protocol.root) * (1000.0 if views.scale is None else 1.0)
        lifted, frames = said.cpu().numpy(), found[1].cpu().numpy()
        scored = np.take_along_axis(shown.scored, frames, 1)  # (B, f)
        rows.append(np.take_along_axis(index, frames, 1)[scored])
        here = lifted[scored]  # (n, J, 3), or (n, H, J, 3) where they were sampled
        if views.scale is not None:
            here = here * views.scale[rows[-1]].reshape(-1, *[1] * (here.ndim - 1))
        poses.append(ruled.settle(here, rows[-1]) if ruled else here)
        near = nearness(frames[scored], windows.frames)
        weights.append(np.ones_like(near) if protocol.evenly else near)
        trails.append([kept.cpu().numpy().astype(np.int32) for kept in found[2]])
        if watch and final:
            valid = views.valid[rows[-1]]
            watch(rows[-1][valid], poses[-1][valid])
        tell(min(first + batch, len(windows)), len(windows))
    stages = tuple(np.concatenate(stage) for stage in zip(*trails, strict=True))
    given = [np.concatenate(each) for each in (rows, poses, weights)]
    errors = ruled.errors(given[0]) if ruled and not mixes else {}
    if protocol.counts != "frames":
        return Prediction(given[0], given[1], stages, errors)
    kept, settled = blend(*given)
    if protocol.filled > 1:
        between = filling(kept, views, protocol.filled)
        kept, settled = between.rows, between.poses(settled)
    if watch and mixes:
        watch(kept[views.valid[kept]], settled[views.valid[kept]])
    order = np.argsort(given[0])
    return Prediction(kept, settled, stages, {rule: each[order] for rule, each in errors.items()})


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
    lifter = context.run(context.lifter(combination))
    evaluation = context.evaluation(combination)
    clips = evaluation.views, evaluation.windows, context.study.evaluation.flip, context.device
    watching = partial(watch, evaluation) if watch else None
    return predict(
        lifter,
        *clips,
        watching,
        context.sampling,
        protocol=evaluation.protocol,
        batch=ALONE.get(context.study.precision),
    )

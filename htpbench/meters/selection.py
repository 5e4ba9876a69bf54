"""Selection: which frames of a window survive all pruning, and how good their detections are."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from htpbench import metrics
from htpbench.diffusion.whole import first_call
from htpbench.lifter import Lifter
from htpbench.meters.evaluation import Evaluation
from htpbench.meters.prediction import BATCH
from htpbench.motion.cameras import rig
from htpbench.motion.views import downsample, make_views
from htpbench.protocols import Measurement
from htpbench.statistics import mean_interval

VERSION = 1
METRICS = ("selection.frequency", "selection.kept", "selection.frame_noise")
WINDOWS = "selection.windows"  # measured on consecutive windows alone
SHOWN = 4  # windows whose kept frames are told one by one: enough to see a pruner change


def measurable(evaluation: Evaluation) -> tuple[str, ...]:
    """The metrics that these windows have."""
    return (*METRICS, WINDOWS) if "spread" in evaluation.card else METRICS


def measure(
    lifter: Lifter, evaluation: Evaluation, device: str = "cpu", seed: int = 0
) -> list[Measurement]:
    """How often each frame is kept, what the first windows keep, and the kept frames' 2D noise.

    Consecutive windows tell all that they keep. Nothing when unpruned.
    """
    if not lifter.schedule:
        return []
    kept = survivors(lifter, evaluation, device, seed)
    found = [frequency(kept, lifter.frames), first_kept(kept), frame_noise(kept, evaluation)]
    return [*found, all_kept(kept)] if WINDOWS in measurable(evaluation) else found


@torch.inference_mode()
def survivors(lifter: Lifter, evaluation: Evaluation, device: str, seed: int) -> np.ndarray:
    """(W, r): frame numbers that the last stage keeps of each window; a denoiser's first call,
    whose noise goes by the seed.
    """
    lifter = lifter.eval().to(device)
    index, channels = evaluation.windows.index, lifter.backbone.channels
    kept = []
    for first in range(0, len(index), BATCH):
        rows = index[first : first + BATCH]  # (B, F)
        poses2d = torch.from_numpy(evaluation.views.poses2d[rows][..., :channels]).to(device)
        inputs = first_call(lifter, poses2d, rows[:, 0].tolist(), seed)
        kept.append(lifter(*inputs).kept[-1].cpu().numpy())  # (B, r)
    return np.concatenate(kept)


def frequency(kept: np.ndarray, frames: int) -> Measurement:
    """Windows that keep each frame: they sum to W x r."""
    value = np.bincount(kept.flatten(), minlength=frames).astype(float).tolist()
    axis = [str(frame) for frame in range(frames)]
    return Measurement("selection.frequency", value, "1", samples=len(kept), axis=axis)


def first_kept(kept: np.ndarray) -> Measurement:
    """The frames that the first windows keep, one after the other."""
    shown = kept[:SHOWN]
    axis = [f"window {w}, rank {rank}" for w, rank in np.ndindex(shown.shape)]
    value = shown.flatten().astype(float).tolist()
    return Measurement("selection.kept", value, "1", samples=len(shown), axis=axis)


def all_kept(kept: np.ndarray) -> Measurement:
    """The frames that every window keeps, each with its window's number."""
    axis = [str(window) for window, _ in np.ndindex(kept.shape)]
    value = kept.flatten().astype(float).tolist()
    return Measurement(WINDOWS, value, "1", samples=len(kept), axis=axis)


def frame_noise(kept: np.ndarray, evaluation: Evaluation) -> Measurement:
    """Mean 2D joint error of the kept frames in pixels, interval over clips (H2OT, Table 2: FN)."""
    windows, views = evaluation.windows, evaluation.views
    rows = np.take_along_axis(windows.index, kept, axis=1)  # (W, r), of the views
    errors = detection_errors(evaluation)[rows]  # (W, r)
    present, clip = np.unique(views.clip[windows.view], return_inverse=True)  # (W,)
    sums, counts = np.bincount(clip, errors.sum(axis=1)), np.bincount(clip) * kept.shape[1]
    low, high = mean_interval(sums, counts)
    mean = float(errors.mean())
    return Measurement("selection.frame_noise", mean, "px", low, high, len(present))


@lru_cache(maxsize=1)  # the combinations of a study share an evaluation
def detection_errors(evaluation: Evaluation) -> np.ndarray:
    """(N,) px: the error of each row's detections against the exact projection of its 3D pose."""
    views, card = evaluation.views, evaluation.card
    exact = make_views(views.clips, "gt", card["cameras"], card["motion_seed"])
    exact = downsample(exact, views.every)
    half_width = np.array([lens.width / 2 for lens in rig()])[views.camera]  # (V,) px a screen unit
    scale = np.repeat(half_width, views.stop - views.start)[:, None, None]  # (N, 1, 1)
    detections, truth = (torch.from_numpy(one.poses2d * scale) for one in (views, exact))
    return metrics.frame_noise(detections, truth, torch.arange(len(scale))).numpy()  # (N,)

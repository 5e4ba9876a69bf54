"""Selection: which frames of a window survive all pruning, and how good their detections are."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from htpbench import metrics
from htpbench.diffusion.sampler import first_call
from htpbench.errors import BenchError
from htpbench.measuring.evaluation import Evaluation
from htpbench.measuring.prediction import BATCH, check_kept
from htpbench.measuring.scoring import averaged, count, labels
from htpbench.network.contracts import Pruner
from htpbench.network.lifter import Lifter
from htpbench.network.token_state import Present
from htpbench.records.measurement import Measurement
from htpbench.records.row import MOST_VALUES

SHOWN = 4  # windows whose kept frames are told one by one: enough to see a pruner change


def has_graph(pruner: type) -> bool:
    """Whether a pruner selects by a graph of frames."""
    return issubclass(pruner, Pruner) and pruner.links is not Pruner.links


def measure(
    lifter: Lifter, evaluation: Evaluation, device: str = "cpu", seed: int = 0
) -> list[Measurement]:
    """How often each frame is kept, what the first windows keep, and the kept frames' 2D noise.

    Consecutive windows tell all that they keep; a pruner with a graph tells what each stage keeps
    of the first windows, and the graph of the first. Nothing when unpruned.
    """
    if not lifter.schedule:
        return []
    lifter, graph = lifter.eval().to(device), has_graph(type(lifter.pruner))
    kept_per_stage = survivors(lifter, evaluation, seed)
    kept = kept_per_stage[-1]
    found = [frequency(kept, lifter.frames), first_kept(kept)]
    if evaluation.views.projects:
        found += frame_noise(kept, evaluation)
    if "spread" in evaluation.card:
        found.append(all_kept(kept))
    if graph:
        found += [each_stage(kept_per_stage), linked(lifter, evaluation, seed)]
    return found


def shown(
    lifter: Lifter, evaluation: Evaluation, windows: slice, seed: int
) -> tuple[torch.Tensor, ...]:
    """What a lifter is given of some windows; a denoiser's first call, whose noise goes by seed."""
    rows, channels = evaluation.windows[windows].index, lifter.backbone.channels  # (B, F)
    poses2d = torch.from_numpy(evaluation.views.poses2d[rows][..., :channels])
    device = next(lifter.parameters()).device
    return first_call(lifter, poses2d.to(device), rows[:, 0].tolist(), seed)


@torch.inference_mode()
def survivors(lifter: Lifter, evaluation: Evaluation, seed: int) -> list[np.ndarray]:
    """(W, r) a stage: frame numbers that it keeps of each window."""
    total = len(evaluation.windows)
    found = [np.empty((total, r), np.int64) for r, _ in lifter.schedule]
    for first in range(0, total, BATCH):
        some = slice(first, first + BATCH)
        lifted = lifter(*shown(lifter, evaluation, some, seed))
        check_kept(lifter, lifted)
        for stage, kept in zip(found, lifted.kept, strict=True):
            stage[some] = kept.cpu().numpy()
    return found


@torch.inference_mode()
def linked(lifter: Lifter, evaluation: Evaluation, seed: int) -> Measurement:
    """The graph of the first window before the first pruning: each link (i, j) once, i < j."""
    inputs, (_, b) = shown(lifter, evaluation, slice(1), seed), lifter.schedule[0]
    tokens = lifter.embed(*inputs)
    for block in lifter.backbone.blocks[:b]:
        tokens = block(tokens)
    frames = torch.arange(lifter.frames, device=tokens.device)[None]
    view = lifter.view(Present(tokens, frames), inputs[0], b, 0)
    links = lifter.pruner.links(view)  # type: ignore[union-attr]
    pairs = [] if links is None else links[0].triu().nonzero().tolist()
    axis, value = [str(i) for i, _ in pairs], [float(j) for _, j in pairs]
    return Measurement("selection.links", value, samples=1, axis=axis)


def frequency(kept: np.ndarray, frames: int) -> Measurement:
    """Windows that keep each frame: they sum to W x r."""
    value = np.bincount(kept.flatten(), minlength=frames).astype(float).tolist()
    axis = [str(frame) for frame in range(frames)]
    return Measurement("selection.frequency", value, samples=len(kept), axis=axis)


def first_kept(kept: np.ndarray) -> Measurement:
    """The frames that the first windows keep, one after the other."""
    first = kept[:SHOWN]
    axis = [f"window {w}, rank {rank}" for w, rank in np.ndindex(first.shape)]
    value = first.flatten().astype(float).tolist()
    return Measurement("selection.kept", value, samples=len(first), axis=axis)


def each_stage(kept_per_stage: list[np.ndarray]) -> Measurement:
    """The frames that each stage keeps of the first windows."""
    axis, value = [], []
    for stage, kept in enumerate(kept_per_stage):
        part = kept[:SHOWN]
        axis += [f"window {w}, stage {stage}" for w, _ in np.ndindex(part.shape)]
        value += part.flatten().astype(float).tolist()
    return Measurement(
        "selection.stages", value, samples=min(len(kept_per_stage[0]), SHOWN), axis=axis
    )


def all_kept(kept: np.ndarray) -> Measurement:
    """The frames that every window keeps, each with its window's number."""
    if kept.size > MOST_VALUES:
        raise BenchError(
            f"{len(kept)} consecutive windows keep {kept.size} frames, and a row holds "
            f"{MOST_VALUES}; lower `windows` in [evaluation]"
        )
    axis = [str(window) for window, _ in np.ndindex(kept.shape)]
    value = kept.flatten().astype(float).tolist()
    return Measurement("selection.windows", value, samples=len(kept), axis=axis)


def frame_noise(kept: np.ndarray, evaluation: Evaluation) -> list[Measurement]:
    """Mean 2D joint error of the kept frames in pixels, and by clip (H2OT, Table 2: FN)."""
    windows, views = evaluation.windows, evaluation.views
    rows = windows.rows(kept)  # (W, r), of the views
    errors = detection_errors(evaluation)[rows].ravel()  # (W r,)
    clip = np.repeat(views.clip[windows.view], kept.shape[1])
    present, frames = np.unique(clip, return_counts=True)
    return [
        *averaged("selection.frame_noise", errors, clip, views.clips),
        count("selection.frames_by_clip", clip, views.clips),
        *labels("selection", "person", [views.clips[number] for number in present], frames),
    ]


@lru_cache(maxsize=1)  # the combinations of a study share an evaluation
def detection_errors(evaluation: Evaluation) -> np.ndarray:
    """(N,) px: the error of each row's detections against the exact projection of its 3D pose."""
    views = evaluation.views
    half_width = np.array([views.lens(view).width / 2 for view in range(len(views.start))])  # px
    scale = np.repeat(half_width, views.stop - views.start)[:, None, None]  # (N, 1, 1)
    detections, truth = views.poses2d[..., :2] * scale, views.exact() * scale
    pair = torch.from_numpy(detections), torch.from_numpy(truth)
    return metrics.frame_noise(*pair, torch.arange(len(scale))).numpy()  # (N,)

"""Sampling hypotheses from a denoising lifter, as D3DP does (section 3.2 and its code)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from htpbench.diffusion.schedule import cosine_on, step_back, times
from htpbench.motion.skeleton import flip
from htpbench.network.lifter import Lifter

LIMIT = 1.1  # metres: samples and estimates are clamped to it


def draw_noise(
    seed: int, clips: list[int], hypotheses: int, iterations: int, shape: tuple[int, ...]
) -> Tensor:
    """(B, H, K, F, J, 3): the start of each hypothesis, then what its steps add.

    A hypothesis has noise of its own, by seed, clip and its number: neither the batch nor how many
    others there are changes it.
    """
    drawn = np.empty((len(clips), hypotheses, iterations, *shape), dtype=np.float32)
    for row, clip in enumerate(clips):
        for number in range(hypotheses):
            rng = np.random.default_rng([seed, clip, number])
            drawn[row, number] = rng.standard_normal(drawn.shape[2:], dtype=np.float32)
    return torch.from_numpy(drawn)


def sample(
    lifter: Lifter,
    poses2d: Tensor,
    noise: Tensor,
    augment: bool = True,
    replay: bool = False,
    rows: int = 16,
) -> Tensor:
    """(B, F, J, channels) and noise (B, H, K, F, J, 3) -> (B, K, H, F, J, 3) metres.

    The K estimates of the clean pose, the last being the result. `augment` averages each call with
    its mirror image; `replay` gives that the frames kept by the first. `rows` hypotheses are
    denoised at once, which changes time and memory, and no number beyond rounding.
    """
    batch, hypotheses = noise.shape[:2]
    clips = poses2d.repeat_interleave(hypotheses, dim=0)  # (B H, F, J, channels)
    drawn = noise.flatten(0, 1)  # (B H, K, F, J, 3)
    found = [
        denoise(lifter, clips[i : i + rows], drawn[i : i + rows], augment, replay)
        for i in range(0, len(clips), rows)
    ]
    return torch.cat(found).unflatten(0, (batch, hypotheses)).transpose(1, 2)


def denoise(lifter: Lifter, poses2d: Tensor, noise: Tensor, augment: bool, replay: bool) -> Tensor:
    """(N, F, J, channels), (N, K, F, J, 3) -> (N, K, F, J, 3): one hypothesis a row."""
    shares = cosine_on(poses2d.device)  # (T,)
    schedule = times(len(shares), noise.shape[1])
    x, estimates = noise[:, 0], []
    for call, (now, then) in enumerate(pairwise(schedule)):
        clean = estimate(lifter, poses2d, x, now, augment, replay)  # (N, F, J, 3)
        estimates.append(clean)
        if then < 0:
            break
        inverse = 1 / shares[now]
        # from the sample as it is, not as the network saw it: unclamped, in float64
        error = (inverse.sqrt() * x.double() - clean) / (inverse - 1).sqrt()
        x = step_back(clean, error.float(), shares[now], shares[then], 1.0, noise[:, call + 1])
    return torch.stack(estimates, dim=1)


def estimate(
    lifter: Lifter, poses2d: Tensor, x: Tensor, time: int, augment: bool, replay: bool
) -> Tensor:
    """The clean pose (N, F, J, 3) that one denoiser call, or the mean of two, sees in x."""
    when = torch.full((len(x),), time, device=x.device)  # (N,)
    x = x.clamp(-LIMIT, LIMIT)
    lifted = lifter(poses2d, x, when)
    poses = lifted.poses
    if augment:
        kept = lifted.kept if replay else None
        poses = (poses + flip(lifter(flip(poses2d), flip(x), when, replay=kept).poses)) / 2
    return poses.clamp(-LIMIT, LIMIT)


def noised(poses: Tensor, time: Tensor, noise: Tensor) -> Tensor:
    """Poses (B, F, J, 3), metres, after `time` (B,) steps of noise: what training shows."""
    left = cosine_on(poses.device)[time].float()[:, None, None, None]  # (B, 1, 1, 1)
    return (left.sqrt() * poses + (1 - left).sqrt() * noise).clamp(-LIMIT, LIMIT)

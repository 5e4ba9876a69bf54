"""How much of a pose is left after t steps of noise, and one DDIM step back."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from htpbench.network.constants import lasting

STEPS = 1000  # of noise that D3DP is trained with


def cosine(steps: int = STEPS, offset: float = 0.008) -> Tensor:
    """(T,) float64: the share of the signal's power after each step (Nichol and Dhariwal 2021).

    D3DP's schedule; a step takes 99.9 % of what is left at most.
    """
    time = torch.arange(steps + 1, dtype=torch.float64) / steps  # (T + 1,)
    left = torch.cos((time + offset) / (1 + offset) * math.pi / 2).square()
    betas = (1 - left[1:] / left[:-1]).clamp(0, 0.999)  # (T,)
    return (1 - betas).cumprod(dim=0)


@cache
def cosine_on(device: torch.device) -> Tensor:
    """`cosine` on a device; copied there once, since a copy waits for all that runs there."""
    with lasting():
        return cosine().to(device)


def linear(first: float = 1e-4, last: float = 1e-3, steps: int = 51) -> Tensor:
    """(T,) float32: as `cosine`, from evenly spaced betas; DiffPose's schedule and precision."""
    return (1 - torch.linspace(first, last, steps, dtype=torch.float64).float()).cumprod(dim=0)


@cache
def linear_on(device: torch.device) -> Tensor:
    """`linear` on a device, copied there once; the share at -1 is 1: no noise at all."""
    with lasting():
        return torch.cat((linear(), torch.ones(1))).to(device)


def times(steps: int, iterations: int) -> list[int]:
    """The K times at which D3DP calls its denoiser, falling from T - 1, and -1 at the end."""
    return [int(t) for t in torch.linspace(-1, steps - 1, iterations + 1).flip(0).tolist()]


def step_back(
    clean: Tensor, error: Tensor, now: Tensor, then: Tensor, eta: float, noise: Tensor | None
) -> Tensor:
    """One DDIM step (Song et al. 2021, Eq. 12): the sample at an earlier time.

    clean, error: estimates of the pose and of the noise in the sample; now, then: shares of the
    signal's power, () float64; eta: 1 is as random as DDPM, 0 needs no `noise`.
    """
    variance = eta**2 * (1 - now / then) * (1 - then) / (1 - now)
    direction = (1 - then - variance).sqrt() * error
    drawn = variance.sqrt() * noise if noise is not None else 0.0
    return then.sqrt() * clean + direction + drawn

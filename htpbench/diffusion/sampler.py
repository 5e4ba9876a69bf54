"""A whole prediction of a denoising lifter: H hypotheses, K calls each, twice with flipping."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from htpbench.diffusion.hypotheses import LIMIT, draw_noise, sample
from htpbench.diffusion.schedule import STEPS
from htpbench.diffusion.whole import Whole
from htpbench.network.lifter import Lifter


@dataclass(frozen=True)
class Sampling:
    """How poses are drawn: H, K, the rule that makes one of H, and the seed of the noise.

    replay: the mirrored call keeps the frames of the first; rows: hypotheses denoised at once,
    which changes memory and time and no number.
    """

    hypotheses: int = 1
    iterations: int = 1
    rule: str = "p-agg"
    seed: int = 0
    replay: bool = False
    rows: int = 16

    def calls(self, augment: bool) -> int:
        """Denoiser calls on one clip."""
        return self.hypotheses * self.iterations * (1 + augment)


def denoises(lifter: Lifter) -> bool:
    """Whether a lifter refines noisy poses, so that a prediction takes many calls."""
    return "noisy3d" in lifter.backbone.inputs


class HypothesisSampler(Whole):
    """Clips (B, F, J, channels) and noise -> (B, H, F, J, 3) metres: a lifter to sample from."""

    def __init__(self, lifter: Lifter, sampling: Sampling, augment: bool = True) -> None:
        super().__init__(lifter, augment)
        self.sampling = sampling
        self.rows = sampling.rows  # what fits into less memory is denoised a few at a time

    def example(self, batch: int = 1, device: str = "cpu") -> tuple[Tensor, ...]:
        """A random 2D clip and its noise."""
        return self.lifter.example(batch, device)[0], self.noise(list(range(batch))).to(device)

    def noise(self, clips: list[int]) -> Tensor:
        """(B, H, K, F, J, 3) for clips by their numbers, on the CPU."""
        how, shape = self.sampling, (self.frames, self.lifter.backbone.joints, 3)
        return draw_noise(how.seed, clips, how.hypotheses, how.iterations, shape)

    def forward(self, poses2d: Tensor, noise: Tensor) -> Tensor:
        """The estimates of the last step."""
        replay = self.sampling.replay
        return sample(self.lifter, poses2d, noise, self.augment, replay, self.rows)[:, -1]


def first_call(
    lifter: Lifter, poses2d: Tensor, clips: list[int], seed: int = 0
) -> tuple[Tensor, ...]:
    """What the first call of the first hypothesis sees of clips; of other lifters the only one."""
    if not denoises(lifter):
        return (poses2d,)
    noise = draw_noise(seed, clips, 1, 1, (*poses2d.shape[1:3], 3))[:, 0, 0].to(poses2d.device)
    time = torch.full((len(clips),), STEPS - 1, device=poses2d.device)  # (B,)
    return poses2d, noise.clamp(-LIMIT, LIMIT), time

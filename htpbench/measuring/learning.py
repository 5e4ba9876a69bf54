"""Training steps of random clips: what is timed, and what a step holds at once."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel

from htpbench.learning.recipes import Recipe
from htpbench.learning.step import loss_of, optimiser_of, shown, update
from htpbench.measuring.memory import Held, nbytes
from htpbench.network.lifter import Lifter, Span, unmarked

STEPS = 2  # the second has the optimiser's state


class Step(nn.Module):
    """A network in training, called for one step; it stands where a lifter does when timed."""

    spans = ("forward", "backward", "optimiser")
    grows = True  # a step of MixSTE holds 7 GB, and the first after another network took 1.2 times

    def __init__(self, recipe: Recipe, lifter: Lifter) -> None:
        super().__init__()
        self.recipe, self.lifter = recipe, lifter
        self.frames, self.centred = lifter.frames, lifter.centred
        self.span: Span = unmarked
        self.optimiser: torch.optim.Optimizer | None = None
        self.train()

    def train(self, mode: bool = True) -> Step:
        """In training it stays, whoever asks."""
        return super().train()

    def example(self, batch: int = 1, device: str = "cpu") -> tuple[Tensor, Tensor]:
        """Clips (B, F, J, channels) and targets (B, F, J, 3), random."""
        clips, *_ = self.lifter.example(batch, device)
        return clips, torch.randn(*clips.shape[:-1], 3, device=device)

    @torch.inference_mode(False)
    def forward(self, clips: Tensor, targets: Tensor) -> None:
        """Loss, gradients, update; the optimiser is of the parameters of the first call."""
        if self.optimiser is None:
            self.optimiser = optimiser_of(self.recipe, self.parameters())
        with self.span("forward"):
            inputs = shown(self.lifter, clips, targets)
            loss = loss_of(self.recipe, self.lifter, inputs, targets)
        with self.span("backward"):
            loss.backward()
        with self.span("optimiser"):
            update(self.optimiser, [*self.parameters()])
            self.optimiser.zero_grad()


def memory(step: Step, plain: bool, device: str = "cpu") -> int:
    """Bytes that a step on the recipe's batch holds at most.

    On a CPU they are counted and nothing is computed: the step's parameters are on the meta
    device. plain: attention keeps its matrices, as the official codes do.
    """
    math = sdpa_kernel(SDPBackend.MATH) if plain else nullcontext()
    if torch.device(device).type == "cuda":
        with math:
            return allocated(step, device)
    with FakeTensorMode(allow_non_fake_inputs=True), math:
        step = step.to_empty(device="cpu")
        inputs = step.example(step.recipe.batch)
        with Held(*step.parameters(), *step.buffers(), *inputs) as held:
            for _ in range(STEPS):
                step(*inputs)
    return held.peak


def allocated(step: Step, device: str) -> int:
    """The same of a step on CUDA, by what its allocator gave."""
    inputs = step.example(step.recipe.batch, device)
    step(*inputs)  # memory that libraries keep for themselves is there now
    own = [*step.parameters(), *step.buffers(), *inputs]
    state = [one for each in step.optimiser.state.values() for one in each.values()]  # type: ignore
    before = torch.cuda.memory_allocated(device) - sum(map(nbytes, own)) - sum(map(nbytes, state))
    torch.cuda.reset_peak_memory_stats(device)
    step(*inputs)
    return torch.cuda.max_memory_allocated(device) - before

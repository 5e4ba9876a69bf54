"""Every parameter at F = 27 learns, but for numbers that change nothing. No names of exceptions.

Rightly without a gradient is a number whose change leaves the output as it is: the bias of keys (a
softmax does not see what is added to all), a bias before a batch norm, the code of a frame that is
pruned before anything looks at it, what feeds a ReLU that is off, a tap of a convolution that meets
padding alone. All of them are moved at once. Where the head contracts the frames there are more:
codes of ranks that are gone, rims of kernels, ReLUs that see one token a clip.
"""

import pytest
import small
import torch
from torch import nn

from htpbench.network.build import build
from htpbench.systems.cards import shipped
from htpbench.systems.refusals import WHOLLY, refusals

SHARE = {False: 0.05, True: 0.25}  # of all numbers, by `one_pose`: the most that may be silent
SILENT = 1e-12  # of the largest gradient; in double precision, noise is below 1e-14
STEP = 1e-4
USES = ["", "+tra", "+tri"]


def network(backbone, recoverer):
    """In training mode and double precision, with weights on which no layer is almost silent."""
    card = shipped("backbone")[backbone]
    size = card.variants["tiny"]
    pruned = f"+tps:13@{card.first},9@{size.blocks - 1}{recoverer}" if recoverer else ""
    torch.manual_seed(0)
    lifter = build(f"{small.tiny(backbone)}{pruned}").train().double()
    with torch.no_grad():
        for parameter in lifter.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return lifter, tuple(one.double() for one in lifter.example(batch=2))


def said(lifter, inputs):
    """All that training reads: poses, and those of a head for training alone."""
    lifted = lifter(*inputs)
    return torch.cat([one.poses for one in (lifted, lifted.auxiliary) if one is not None], dim=1)


def silent(lifter, inputs):
    """Name -> which numbers of a parameter get no gradient; all, where there is no way to it."""
    poses = said(lifter, inputs)
    (poses * torch.randn_like(poses)).sum().backward()
    gradients = {
        name: torch.zeros_like(one) if one.grad is None else one.grad.abs()
        for name, one in lifter.named_parameters()
    }
    least = SILENT * max(one.max() for one in gradients.values())
    return {name: one <= least for name, one in gradients.items() if (one <= least).any()}


@torch.no_grad()
def effect(lifter, inputs, found):
    """How far the output moves, at most, when all of these numbers move."""
    before = said(lifter, inputs)
    for name, parameter in lifter.named_parameters():
        if name in found:
            parameter += STEP * torch.randn_like(parameter) * found[name]
    return float((said(lifter, inputs) - before).abs().max())


def uses():
    """What is built of each backbone: alone, and pruned with what it takes."""
    for backbone in shipped("backbone"):
        for recoverer in USES:
            if not recoverer or WHOLLY not in refusals(backbone, "tps", recoverer[1:]):
                yield backbone, recoverer


@pytest.mark.parametrize(("backbone", "recoverer"), [*uses()])
def test_what_gets_no_gradient_changes_nothing(backbone, recoverer):
    lifter, inputs = network(backbone, recoverer)
    found = silent(lifter, inputs)
    assert all(one.grad is not None for one in lifter.parameters())
    everything = sum(one.numel() for one in lifter.parameters())
    most = SHARE[lifter.backbone.one_pose] * everything
    assert sum(int(one.sum()) for one in found.values()) < most
    assert effect(lifter, inputs, found) < 1e-12


class Deaf(nn.Module):
    """A layer whose gradient is lost on the way."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, *inputs):
        return self.layer(*inputs).detach()


@pytest.mark.parametrize("backbone", shipped("backbone"))
def test_a_lost_gradient_is_found(backbone):
    lifter, inputs = network(backbone, [use for name, use in uses() if name == backbone][-1])
    layers = {
        name: one
        for name, one in lifter.named_modules()
        if isinstance(one, nn.Linear | nn.Conv1d | nn.Conv2d)
    }
    name = next(iter(layers))
    lifter.set_submodule(name, Deaf(layers[name]))
    found = silent(lifter, inputs)
    assert f"{name}.layer.weight" in found
    assert effect(lifter, inputs, found) > 1e-9


def test_a_parameter_without_a_way_to_the_output_is_found():
    lifter, inputs = network("mixste", "")
    lifter.backbone.forgotten = nn.Parameter(torch.ones(3, dtype=torch.float64))
    assert silent(lifter, inputs)["backbone.forgotten"].all()
    assert lifter.backbone.forgotten.grad is None

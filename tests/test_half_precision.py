"""bfloat16 in training: where it is used, and what it does to the gradient of a velocity."""

import pytest
import torch

from htpbench import weights
from htpbench.combination import parse
from htpbench.lifter import build
from htpbench.motion import open_motion
from htpbench.motion.views import make_views
from htpbench.motion.windows import cut
from htpbench.training.losses import velocity
from htpbench.training.train import forward
from htpbench.training.trainee import built


def gradient(lifter, precision, poses2d, targets):
    lifter.zero_grad()
    velocity(forward(lifter, (poses2d,), precision).poses.float(), targets).backward()
    return torch.cat([p.grad.flatten() for p in lifter.parameters() if p.grad is not None]).cpu()


def velocity_gradients(device):
    """Of the shipped network on embedded motion: in float32, and with blocks in bfloat16."""
    combination = parse("mixste.tiny-81")
    lifter = build(combination, any_schedule=True).eval()
    weights.load_into(lifter, combination, weights.read(weights.find("mixste.tiny-81"))[0])
    lifter = lifter.to(device)
    views = make_views(open_motion("synthetic").split("test"), "cpn", "all")
    rows = cut(views, 81).index[:16]
    poses2d = torch.from_numpy(views.poses2d[rows][..., :2]).to(device)
    targets = torch.from_numpy(views.poses3d[rows] / 1000).to(device)
    precisions = ("float32", "bfloat16")
    return [gradient(lifter, precision, poses2d, targets) for precision in precisions]


def test_the_velocity_keeps_its_gradient():
    whole, half = velocity_gradients("cpu")
    cosine = torch.cosine_similarity(whole, half, dim=0).item()
    assert 0.95 < cosine < 1


@pytest.mark.parametrize("recoverer", ["", "+tra", "+tri", "+trc"])
@pytest.mark.parametrize("backbone", built("backbone"))
def test_every_backbone_embeds_and_regresses_in_float32(backbone, recoverer):
    pruned = f"+tps:13@1,9@2{recoverer}" if recoverer else ""
    lifter = build(f"{backbone}.tiny-27{pruned}").train()
    entered, left, inside = [], [], set()
    embed, head = lifter.backbone.embed, lifter.backbone.head
    lifter.backbone.embed = lambda *x: entered.append(embed(*x)) or entered[-1]
    lifter.backbone.head = lambda x: left.append(head(x)) or left[-1]
    for module in lifter.backbone.blocks.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda module, x, out: inside.add(out.dtype))
    forward(lifter, lifter.example(2), "bfloat16").poses.mean().backward()
    assert {one.dtype for one in entered + left} == {torch.float32}
    assert inside == {torch.bfloat16}

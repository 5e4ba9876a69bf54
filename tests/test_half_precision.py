"""bfloat16 in training: where it is used, and what it does to the gradient of a velocity."""

from contextlib import nullcontext
from functools import partial

import pytest
import small
import torch

from htpbench.datasets import open_data
from htpbench.learning.losses import joint_weights, velocity, weighted_mpjpe
from htpbench.learning.step import forward
from htpbench.motion.filming import make_views
from htpbench.motion.protocols import cut
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.systems.cards import shipped
from htpbench.systems.combination import parse
from htpbench.systems.refusals import WHOLLY, refusals


def all_in_bfloat16(lifter, inputs):
    lifter.span = lambda part: nullcontext()
    with torch.autocast(inputs[0].device.type, torch.bfloat16):
        return lifter(*inputs)


def gradient(lifter, lift, poses2d, targets):
    lifter.zero_grad()
    velocity(lift(lifter, (poses2d,)).poses.float(), targets).backward()
    return torch.cat([p.grad.flatten() for p in lifter.parameters() if p.grad is not None]).cpu()


def velocity_gradients(device):
    """Of the shipped network on embedded motion: float32, blocks in bfloat16, all in bfloat16."""
    combination = parse("mixste.tiny-81")
    lifter = build(combination, any_schedule=True).eval()
    weights.load_into(lifter, combination, weights.read(weights.find("mixste.tiny-81"))[0])
    lifter = lifter.to(device)
    views = make_views(open_data("synthetic").motion("test"), "cpn", "all")
    rows = cut(views, 81).index[:16]
    poses2d = torch.from_numpy(views.poses2d[rows][..., :2]).to(device)
    targets = torch.from_numpy(views.poses3d[rows] / 1000).to(device)
    lifts = [partial(forward, precision=one) for one in ("float32", "bfloat16")]
    return [gradient(lifter, lift, poses2d, targets) for lift in (*lifts, all_in_bfloat16)]


@pytest.mark.slow
def test_the_velocity_keeps_its_gradient():
    whole, blocks, everything = velocity_gradients("cpu")
    kept, lost = (1 - torch.cosine_similarity(whole, x, dim=0) for x in (blocks, everything))
    assert 0 < 2 * kept < lost, "embedding and head in float32 save half of what is lost"


def test_joint_weights_that_were_first_asked_for_in_inference_have_gradients_around_them():
    joint_weights.cache_clear()
    with torch.inference_mode():
        weighted_mpjpe(torch.rand(1, 2, 17, 3), torch.rand(1, 2, 17, 3))
    poses = torch.rand(1, 2, 17, 3, requires_grad=True)
    weighted_mpjpe(poses, torch.rand(1, 2, 17, 3)).backward()
    assert poses.grad.any()


def uses():
    """What is built of each backbone: alone, and pruned with what it takes."""
    for backbone in shipped("backbone"):
        for recoverer in ("", "+tra", "+tri", "+trc"):
            if not recoverer or WHOLLY not in refusals(backbone, "tps", recoverer[1:]):
                yield backbone, recoverer


@pytest.mark.parametrize(("backbone", "recoverer"), [*uses()])
def test_every_backbone_embeds_and_regresses_in_float32(backbone, recoverer):
    pruned = f"+tps:13@1,9@2{recoverer}" if recoverer else ""
    lifter = build(f"{small.tiny(backbone)}{pruned}").train()
    entered, left, inside = [], [], set()
    embed, head = lifter.backbone.embed, lifter.backbone.head
    lifter.backbone.embed = lambda *x: entered.append(embed(*x)) or entered[-1]
    lifter.backbone.head = lambda *x: left.append(head(*x)) or left[-1]
    for module in lifter.backbone.blocks.modules():
        if isinstance(module, torch.nn.Linear):
            module.register_forward_hook(lambda module, x, out: inside.add(out.dtype))
    forward(lifter, lifter.example(2), "bfloat16").poses.mean().backward()
    assert {one.dtype for one in entered + left} == {torch.float32}
    assert inside == ({torch.bfloat16} if len(lifter.backbone.blocks) else set())

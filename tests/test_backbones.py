"""Every built backbone with every built pruner and recoverer, at its tiny size, trained a step."""

import pytest
import torch

from htpbench.cards import shipped
from htpbench.lifter import build
from htpbench.training.trainee import built

FRAMES, CENTRE = 27, 13
STAGES = (13, 9, 5)  # frames kept


def step(lifter, pipeline):
    """One forward and backward pass in training mode."""
    torch.manual_seed(0)
    lifted = lifter.train()(*lifter.example(batch=2))
    target = lifted.at(CENTRE) if pipeline == "seq2frame" else lifted.poses
    target.square().mean().backward()
    return lifted


@pytest.mark.parametrize("stages", [1, 2, 3])
@pytest.mark.parametrize("pruner", built("pruner"))
@pytest.mark.parametrize("backbone", built("backbone"))
def test_runs_forward_and_backward(backbone, pruner, stages):
    first = shipped("backbone")[backbone].first
    schedule = [(r, first + stage) for stage, r in enumerate(STAGES[:stages])]
    pruned = f"{backbone}.tiny-{FRAMES}+{pruner}:" + ",".join(f"{r}@{b}" for r, b in schedule)
    recovered = [f"{pruned}+{name}" for name in built("recoverer")]
    uses = [(pruned, "seq2frame")]
    uses += [(text, pipeline) for text in recovered for pipeline in ("seq2seq", "seq2frame")]
    for text, pipeline in uses:
        lifter = build(text, pipeline)
        lifted = step(lifter, pipeline)
        length = schedule[-1][0] if text == pruned else FRAMES
        assert lifted.poses.shape == (2, length, 17, 3), (text, pipeline)
        assert [kept.shape for kept in lifted.kept] == [(2, r) for r, _ in schedule]
        if pipeline == "seq2frame":
            assert all((kept == CENTRE).any(dim=1).all() for kept in lifted.kept), text
        gradients = [p.grad for p in lifter.parameters() if p.grad is not None]
        assert all(gradient.isfinite().all() for gradient in gradients), (text, pipeline)
        learning = sum(bool(gradient.any()) for gradient in gradients)
        assert learning > 0.9 * len(list(lifter.parameters())), (text, pipeline)

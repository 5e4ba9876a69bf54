"""Memory: of a pass, of a training step, and of a process in which an engine runs a network."""

import pytest
import small
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.distributed._tools.mem_tracker import MemTracker
from torch.nn.attention import SDPBackend, sdpa_kernel

from htpbench.learning.losses import joint_weights
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import optimiser_of
from htpbench.measuring import learning, memory
from htpbench.network.build import build
from htpbench.study.loading import load
from htpbench.systems.combination import parse


class Chain(torch.nn.Module):
    """Five tensors of 4 MB, of which at most three live at once, and views of them."""

    def forward(self, x):
        a = x + 1
        b = a.view(1000, 1000) * 2
        del a
        c = b.t() + b
        del b
        d = c.exp_()
        return d[:10] @ d[:, :10]


def test_memory_is_what_lives_at_once():
    x = torch.rand(10**6)
    with memory.Held(x) as held:
        Chain()(x)
    assert held.peak == 3 * 4 * 10**6, "the input, b and c; a is gone, views are nobody's"
    assert held.now == 4 * 10**6, "the result is gone as well"


def test_memory_grows_with_the_batch_beside_the_weights():
    lifter = build(small.NETWORK)
    one, four = ({m.metric: m.value for m in memory.measure(lifter, batch)} for batch in (1, 4))
    weights = one["memory.weights"]
    assert weights == four["memory.weights"] == 4 * sum(p.numel() for p in lifter.parameters())
    assert four["memory.peak"] - weights == pytest.approx(4 * (one["memory.peak"] - weights), 0.01)


def test_training_memory_is_what_torch_counts():
    recipe = Recipe.of(small.NETWORK, ())
    with torch.device("meta"):
        lifter = build(small.NETWORK)
    ours = learning.memory(learning.Step(recipe, lifter), plain=True)
    with FakeTensorMode(allow_non_fake_inputs=True), sdpa_kernel(SDPBackend.MATH):
        step = learning.Step(recipe, build(small.NETWORK))
        inputs = step.example(recipe.batch)
        step.optimiser = optimiser_of(recipe, step.parameters())
        tracker = MemTracker()
        tracker.track_external(step.lifter, step.optimiser, *inputs)
        with tracker:  # which follows modules, and a step is none of them
            step.forward(*inputs)
            tracker.reset_mod_stats()
            step.forward(*inputs)
    theirs = tracker.get_tracker_snapshot("peak")[torch.device("cpu")]["Total"]
    assert ours == pytest.approx(theirs, rel=0.02)


def test_counted_memory_leaves_no_tensor_behind_that_is_none():
    joint_weights.cache_clear()
    recipe = Recipe.of(small.NETWORK, ())
    with torch.device("meta"):
        lifter = build(small.NETWORK)
    learning.memory(learning.Step(recipe, lifter), plain=True)
    assert joint_weights(torch.device("cpu"), torch.float32)[2].item() == 2.5


@pytest.mark.processes
@pytest.mark.slow
def test_memory_of_an_engine_is_what_a_process_holds_for_a_network(tmp_path):
    for needed in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(needed, reason="pip install htpbench[onnx]")
    found = {}
    for engine, batch in (("onnxruntime", 1), ("onnxruntime", 64), ("eager", 1)):
        study = load(str(small.study(tmp_path, f'engine = "{engine}"', meters=("cost", "memory"))))
        study = study.model_copy(
            update={"timing": study.timing.model_copy(update={"batch": batch})}
        )
        runner = small.runner(study, tmp_path / "r")
        with runner.writer() as writer:
            found[engine, batch] = runner.measure(parse(small.NETWORK), writer)
    told = {name for name in found["eager", 1] if name.startswith("memory")}
    assert told == {"memory.peak", "memory.weights"}
    one, many = (found["onnxruntime", batch]["memory.resident"] for batch in (1, 64))
    assert one.status == many.status == "ok", one.reason
    assert one.conditions["engine"].startswith("onnxruntime ") and one.key != many.key
    assert 0 < one.value < 2**28 and many.value - one.value > 2**20

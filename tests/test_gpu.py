"""What only a GPU can show: the same poses, the same kept frames, times from CUDA events."""

import pytest
import torch

from htpbench.lifter import build
from htpbench.meters import accuracy, timing
from htpbench.meters.evaluation import prepare
from htpbench.meters.prediction import predict
from htpbench.motion import open_motion

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here"),
]
NAMES = ["mixste.tiny-27", "mixste.tiny-27+tps:9@1+tri", "mixste.tiny-27+tpc:13@0,5@2+tra"]


@pytest.mark.parametrize("name", NAMES)
def test_the_gpu_lifts_as_the_cpu_does(name):
    lifter = build(name).eval()
    clip = lifter.example(2)
    with torch.inference_mode():
        here = lifter(*clip)
        there = lifter.to("cuda")(*(x.to("cuda") for x in clip))
    assert all(a.equal(b.cpu()) for a, b in zip(here.kept, there.kept, strict=True))
    torch.testing.assert_close(here.poses, there.poses.cpu(), atol=1e-4, rtol=0)


def test_times_and_errors_come_from_the_gpu():
    lifters = [build(name) for name in NAMES]
    for found in timing.measure(lifters, "cuda", rounds=3, round_s=0.01):
        values = {one.metric: one.value for one in found}
        assert set(values) == set(timing.METRICS) and values["time.forward"] > 0
    evaluation = prepare(open_motion("synthetic"), 27, "seq2seq", limit=2)
    views, windows = evaluation.views, evaluation.windows
    there = accuracy.measure(predict(lifters[0], views, windows, device="cuda"), evaluation)
    here = accuracy.measure(predict(lifters[0], views, windows), evaluation)
    assert there[0].value == pytest.approx(here[0].value, abs=0.05)

"""What the runners of the golden cases share."""

import torch

from htpbench.pruners.tpc import TPC

TOLERANCE = 1e-5


def close(ours, theirs, tolerance=TOLERANCE):
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)


def tolerance(case, output="output"):
    """1e-5, or more where the official code itself is farther from its run in float64."""
    return max(TOLERANCE, 10 * case["fp64_max_abs_diff"][output])


def clustering(case):
    """The case's pruner, and whether it forces the centre frame."""
    selection, frames = case["selection"], case["args"].get("frames") or case["args"]["maxlen"]
    centre = selection["centre_frame_forced"]
    assert centre in (None, (frames - 1) // 2)
    return TPC(selection["k"]), centre is not None


def check_selection(lifter, tensors):
    """Kept frames equal under the injected noise, from the lifter's own features."""
    lifter.pruner.noise = tensors["density_noise"]
    lifted = lifter(tensors["input"])
    assert lifted.kept[0].equal(tensors["indices"])
    return lifted

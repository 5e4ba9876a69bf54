"""What the runners of the golden cases share."""

import torch

TOLERANCE = 1e-5


def close(ours, theirs, tolerance=TOLERANCE):
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=0)


def check_selection(lifter, tensors):
    """Kept frames equal under the injected noise, from the lifter's own features."""
    lifter.pruner.noise = tensors["density_noise"]
    lifted = lifter(tensors["input"])
    assert lifted.kept[0].equal(tensors["indices"])
    return lifted

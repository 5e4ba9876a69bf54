"""StridedTransformer, with the head that speaks in training alone."""

from htpbench.backbones.strided import Strided
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse
from official.common import TOLERANCE, close


def run(cls, combination, case, tensors, state):
    args, apart = case["args"], case["fp64_max_abs_diff"]
    backbone = cls(
        frames=args["frames"],
        lengths=[args["frames"]] * args["layers"],
        blocks=args["layers"],
        width=args["channel"],
        heads=args["heads"],
        hidden=args["d_hid"],
        dropout=0.1,
        embedding_dropout=0.1,
        strides=args["stride_num"],
    )
    lifter = Lifter(backbone, args["frames"]).eval()
    weights.load_official(lifter, parse(combination), state)
    lifter.training = True  # the auxiliary head speaks; all layers stay as they were
    lifted = lifter(tensors["input"])
    for name, poses in (("output", lifted.poses), ("output_full", lifted.auxiliary.poses)):
        close(poses, tensors[name], max(TOLERANCE, 10 * apart[name]))


def run_strided(case, tensors, state):
    run(Strided, "strided-351", case, tensors, state)


RUNNERS = {"strided": run_strided}

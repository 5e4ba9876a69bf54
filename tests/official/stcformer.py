"""STCFormer."""

from htpbench.backbones.stcformer import STCFormer
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse
from official.common import close, tolerance


def run_stcformer(case, tensors, state):
    args = case["args"]
    frames, layers = args["frames"], args["layers"]
    backbone = STCFormer(
        frames=frames,
        lengths=[frames] * layers,
        blocks=layers,
        width=args["d_hid"],
        heads=args["heads"],
        dropout=0.0,
        part_dropout=0.0,
    )
    lifter = Lifter(backbone, frames).eval()
    weights.load_official(lifter, parse("stcformer-243"), state)
    close(lifter(tensors["input"]).poses, tensors["output"], tolerance(case))


RUNNERS = {"stcformer": run_stcformer}

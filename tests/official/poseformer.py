"""PoseFormer."""

from htpbench.backbones.poseformer import PoseFormer
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse
from official.common import close, tolerance


def run_poseformer(case, tensors, state):
    args = case["args"]
    frames = args["num_frame"]
    backbone = PoseFormer(
        frames=frames,
        lengths=[frames] * args["depth"],
        blocks=args["depth"],
        width=args["embed_dim_ratio"],
        heads=args["num_heads"],
        mlp_ratio=args["mlp_ratio"],
        drop_path=0.0,
    )
    lifter = Lifter(backbone, frames).eval()
    weights.load_official(lifter, parse("poseformer-81"), state)
    close(lifter(tensors["input"]).poses, tensors["output"], tolerance(case, "output"))


RUNNERS = {"poseformer": run_poseformer}

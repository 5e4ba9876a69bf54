"""KTPFormer."""

from htpbench.backbones.ktpformer import KTPFormer
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse
from official.common import close


def run_ktpformer(case, tensors, state):
    args = case["args"]
    frames, blocks = args["num_frame"], args["depth"] + 1
    backbone = KTPFormer(
        frames=frames,
        lengths=[frames] * blocks,
        blocks=blocks,
        width=args["embed_dim_ratio"],
        heads=args["num_heads"],
        mlp_ratio=args["mlp_ratio"],
        drop_path=0.0,
    )
    close(backbone.embedding.fixed, tensors["spatial_adjacency"])
    close(backbone.trajectory[0].fixed, tensors["temporal_adjacency"])
    lifter = Lifter(backbone, frames).eval()
    weights.load_official(lifter, parse("ktpformer-243"), state)
    close(lifter(tensors["input"]).poses, tensors["output"])


RUNNERS = {"ktpformer": run_ktpformer}

"""MotionAGFormer, alone and in HoT's module, which has fewer heads and more neighbours."""

from htpbench.backbones.motionagformer import MotionAGFormer
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.recoverers.tra import TRA
from htpbench.systems.combination import parse
from official.common import check_selection, close, clustering


def motionagformer(args, frames, lengths):
    return MotionAGFormer(
        frames=frames,
        lengths=lengths,
        blocks=args["n_layers"],
        width=args["dim_feat"],
        heads=args["num_heads"],
        mlp_ratio=args.get("mlp_ratio", 4),
        neighbours=args["neighbour_num"],
        representation=args["dim_rep"],
    )


def run_motionagformer(case, tensors, state):
    args = case["args"]
    frames = args["n_frames"]
    lifter = Lifter(motionagformer(args, frames, [frames] * args["n_layers"]), frames).eval()
    weights.load_official(lifter, parse("motionagformer-243"), state)
    close(lifter(tensors["input"]).poses, tensors["output"])


def run_hot_motionagformer(case, tensors, state):
    args, (pruner, centred) = case["args"], clustering(case)
    frames, r, b = args["maxlen"], args["token_num"], args["layer_index"]
    backbone = motionagformer(args, frames, [frames] * b + [r] * (args["n_layers"] - b))
    heads, bias = args["num_heads"], args["qkv_bias"]
    tra = TRA(frames, [r], backbone.stacked, args["dim_feat"], heads, bias=bias)
    lifter = Lifter(backbone, frames, pruner, ((r, b),), tra, centred=centred).eval()
    combination = parse("motionagformer.hot-243+tpc:81@7+tra")  # whose rules rename the keys
    weights.load_official(lifter, combination, state)
    close(check_selection(lifter, tensors).poses, tensors["output"])


RUNNERS = {"motionagformer": run_motionagformer, "hot_motionagformer": run_hot_motionagformer}

"""MotionBERT, alone and in HoT's module."""

from htpbench.backbones.motionbert import MotionBERT
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.recoverers.tra import TRA
from htpbench.systems.combination import parse
from official.common import check_selection, close, clustering


def motionbert(args, mlp_ratio):
    frames = args["maxlen"]
    return MotionBERT(
        frames=frames,
        lengths=[frames] * args["depth"],
        blocks=args["depth"],
        width=args["dim_feat"],
        heads=args["num_heads"],
        mlp_ratio=mlp_ratio,
        representation=args["dim_rep"],
    )


def run_motionbert(case, tensors, state):
    """The input may be shorter than the frames that the backbone has codes for."""
    args = case["args"]
    lifter = Lifter(motionbert(args, args["mlp_ratio"]), args["frames_in_input"]).eval()
    weights.load_official(lifter, parse("motionbert-243"), state)
    close(lifter(tensors["input"]).poses, tensors["output"])


def run_hot_motionbert(case, tensors, state):
    args, (pruner, centred) = case["args"], clustering(case)
    backbone = motionbert(args, args["mlp_hidden"] / args["dim_feat"])
    stacked = backbone.stacked
    tra = TRA(args["maxlen"], [args["token_num"]], stacked, args["dim_feat"], args["num_heads"])
    schedule = ((args["token_num"], args["layer_index"]),)
    lifter = Lifter(backbone, args["maxlen"], pruner, schedule, tra, centred=centred).eval()
    weights.load_official(lifter, parse("motionbert-243+tpc:81@1+tra"), state)
    close(check_selection(lifter, tensors).poses, tensors["output"])


RUNNERS = {"motionbert": run_motionbert, "hot_motionbert": run_hot_motionbert}

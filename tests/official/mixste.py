"""MixSTE, alone and in HoT's and TPC's modules."""

from htpbench.backbones.mixste import MixSTE
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.recoverers.tra import TRA
from htpbench.systems.combination import parse
from official.common import check_selection, close, clustering


def mixste(args, width, frames, heads, hidden):
    return MixSTE(
        frames=frames,
        lengths=[frames] * args["depth"],
        blocks=args["depth"],
        width=width,
        heads=heads,
        mlp_ratio=hidden / width,
        drop_path=0.0,
    )


def run_mixste(case, tensors, state):
    args = case["args"]
    width, frames = args["embed_dim_ratio"], args["num_frame"]
    backbone = mixste(args, width, frames, args["num_heads"], width * args["mlp_ratio"])
    lifter = Lifter(backbone, frames).eval()
    weights.load_official(lifter, parse("mixste-243"), state)
    close(lifter(tensors["input"]).poses, tensors["output"])


def hourglass(case, recoverer=None):
    args, (pruner, centred) = case["args"], clustering(case)
    frames, width = args["frames"], args["channel"]
    backbone = mixste(args, width, frames, args["heads"], args["d_hid"])
    schedule = ((args["token_num"], args["layer_index"]),)
    return Lifter(backbone, frames, pruner, schedule, recoverer, centred=centred).eval()


def run_hot_mixste(case, tensors, state):
    args = case["args"]
    stacked = MixSTE.stacked
    tra = TRA(args["frames"], [args["token_num"]], stacked, args["channel"], args["heads"])
    lifter = hourglass(case, tra)
    weights.load_official(lifter, parse("mixste-243+tpc:81@3+tra"), state)
    close(check_selection(lifter, tensors).poses, tensors["output"])


def run_tpc_mixste(case, tensors, state):
    lifter = hourglass(case)
    weights.load_official(lifter, parse("mixste-243+tpc:81@3"), state)
    lifted = check_selection(lifter, tensors)
    close(lifted.poses, tensors["output"])
    replayed = lifter(tensors["input_second"], replay=lifted.kept)
    close(replayed.poses, tensors["output_with_given_indices"])


RUNNERS = {
    "mixste": run_mixste,
    "hot_mixste": run_hot_mixste,
    "tpc_mixste": run_tpc_mixste,
}

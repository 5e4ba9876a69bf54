"""MHFormer, alone and in TPC's module."""

from htpbench.backbones.mhformer import MHFormer
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse
from official.common import check_selection, close, clustering


def mhformer(args):
    layers = args.get("layers", 3)
    return MHFormer(
        frames=args["frames"],
        lengths=[args["frames"]] * layers,
        blocks=layers,
        width=args["channel"],
        heads=args.get("hyp_heads", 8),
        hidden=args["d_hid"],
        encoder_depth=args.get("mhg_depth", 4),
        encoder_heads=args.get("mhg_heads", 9),
        drop_path=0.0,
        dropout=0.0,
        embedding_dropout=0.0,
    )


def run_mhformer(case, tensors, state):
    lifter = Lifter(mhformer(case["args"]), case["args"]["frames"]).eval()
    weights.load_official(lifter, parse("mhformer-351"), state)
    close(lifter(tensors["input"]).poses, tensors["output"])


def run_tpc_mhformer(case, tensors, state):
    args, (pruner, centred) = case["args"], clustering(case)
    schedule = ((args["token_num"], args["layer_index"]),)
    lifter = Lifter(mhformer(args), args["frames"], pruner, schedule, centred=centred).eval()
    weights.load_official(lifter, parse("mhformer-351+tpc:117@1"), state)
    lifted = check_selection(lifter, tensors)
    close(lifted.poses, tensors["output"])
    replayed = lifter(tensors["input_second"], replay=lifted.kept)
    close(replayed.poses, tensors["output_with_given_indices"])


RUNNERS = {"mhformer": run_mhformer, "tpc_mhformer": run_tpc_mhformer}

"""Clustering, token recovery, losses and metrics."""

from dataclasses import replace

import torch

from htpbench import metrics
from htpbench.learning import losses
from htpbench.motion.cameras import rig
from htpbench.motion.skeleton import flip
from htpbench.network.layers import CrossAttention
from htpbench.network.positions import density_peaks, top
from official.common import close


def run_dpc_knn(case, tensors, state):
    for one in case["cases"]:
        tag = one["tag"]
        features = tensors[f"{tag}/features"]
        keep = None if one["centre"] is None else torch.full((one["batch"],), one["centre"])
        scores = density_peaks(features, one["k"], tensors[f"{tag}/density_noise"])
        assert top(scores, one["kept"], keep).equal(tensors[f"{tag}/indices"]), tag


def run_tra(case, tensors, state):
    args = case["args"]
    attention = CrossAttention(args["dim"], args["heads"])
    rename = {"linear_q": "query", "linear_k": "key", "linear_v": "value", "proj": "projection"}
    named = {rename[k.split(".")[0]] + "." + k.split(".")[1]: v for k, v in state.items()}
    attention.load_state_dict(named)
    queries = tensors["recovery_token"].expand(args["rows"], -1, -1)
    ours = attention(queries, tensors["input"], tensors["input"])
    close(queries + ours, tensors["output"])


def run_losses(case, tensors, state):
    """All but limb_var, limb_gt, angle and angle_velocity, whose weight is 0 in every training."""
    pair = tensors["prediction"], tensors["target"]
    assert tensors["joint_weights"].tolist() == list(losses.JOINT_WEIGHTS)
    close(losses.weighted_mpjpe(*pair), tensors["weighted_mpjpe"])
    close(losses.temporal_consistency(pair[0]), tensors["temporal_consistency"])
    close(losses.velocity(*pair), tensors["velocity"])
    close(losses.velocity(*pair), tensors["mb_velocity"])
    close(losses.scale_normalised_mpjpe(*pair), tensors["n_mpjpe"])
    for name, theirs in (("mixste", "mixste_total"), ("motionbert", "mb_total"), ("mpjpe",) * 2):
        close(losses.LOSSES[name](*pair), tensors[theirs])
    aligned = metrics.p_mpjpe(*pair).flatten()  # float64
    close(aligned, tensors["p_mpjpe_per_frame"].double())
    assert flip(tensors["pose_2d"]).equal(tensors["pose_2d_flipped"])
    size = {"width": case["args"]["width"], "height": case["args"]["height"]}
    screen = replace(rig()[0], **size).normalise(tensors["pixels"].numpy())
    close(torch.from_numpy(screen).double(), tensors["screen_normalised"])


RUNNERS = {"dpc_knn": run_dpc_knn, "tra": run_tra, "losses": run_losses}

"""Every golden case of the official code, one test a case, found by the files in the folders."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from paths import ROOT, SHARED
from safetensors.torch import load_file

from htpbench import losses, metrics, weights
from htpbench.backbones.mixste import MixSTE
from htpbench.combination import parse
from htpbench.errors import NotBuilt
from htpbench.lifter import Lifter
from htpbench.meters.prediction import flip
from htpbench.motion.cameras import rig
from htpbench.pruners.tpc import TPC
from htpbench.recoverers.tra import TRA, CrossAttention
from htpbench.registry import BACKBONES
from htpbench.selection import density_peaks, top

FOLDERS = [Path(os.environ.get("HTPBENCH_GOLDEN", ROOT / "tests/golden")), SHARED / "golden"]
# Families that exist; the others are expected to say NotBuilt, and nothing else.
BUILT = ("mixste", "hot_mixste", "tpc_mixste", "dpc_knn", "tra", "losses")
TOLERANCE = 1e-5


def cases():
    found = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.json")):
            found.setdefault(path.stem, path)
    for name, path in found.items():
        family = name.rpartition("-")[0] or name
        missing = pytest.mark.xfail(strict=True, raises=NotBuilt)
        yield pytest.param(path, family, id=name, marks=() if family in BUILT else missing)


@pytest.mark.parametrize(("path", "family"), list(cases()))
def test_equals_the_official_code(path, family):
    case = json.loads(path.read_text())
    tensors = load_file(path.with_suffix(".safetensors"))
    state = {k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")}
    runner = RUNNERS.get(family)
    if runner is None:
        expect_built(family)
    with torch.inference_mode():
        runner(case, tensors, state)


def expect_built(family):
    """Raise NotBuilt for a family of a system without code."""
    for name in ("motionbert", "motionagformer", "mhformer", "ktpformer", "d3dp", "diffpose"):
        if name in family:
            BACKBONES.load(name)


def close(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=TOLERANCE, rtol=0)


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


def hourglass(args, recoverer, centred):
    frames, width = args["frames"], args["channel"]
    backbone = mixste(args, width, frames, args["heads"], args["d_hid"])
    schedule = ((args["token_num"], args["layer_index"]),)
    return Lifter(backbone, frames, TPC(), schedule, recoverer, centred=centred).eval()


def check_selection(lifter, tensors):
    """Kept frames equal under the injected noise, from the lifter's own features."""
    lifter.pruner.noise = tensors["density_noise"]
    lifted = lifter(tensors["input"])
    assert lifted.kept[0].equal(tensors["indices"])
    return lifted


def run_hot_mixste(case, tensors, state):
    args = case["args"]
    tra = TRA(args["frames"], [args["token_num"]], 17, args["channel"], args["heads"])
    lifter = hourglass(args, tra, centred=False)
    weights.load_official(lifter, parse("mixste-243+tpc:81@3+tra"), state)
    close(check_selection(lifter, tensors).poses, tensors["output"])


def run_tpc_mixste(case, tensors, state):
    lifter = hourglass(case["args"], None, centred=True)
    weights.load_official(lifter, parse("mixste-243+tpc:81@3"), state)
    lifted = check_selection(lifter, tensors)
    close(lifted.poses, tensors["output"])
    replayed = lifter(tensors["input_second"], selection=lifted.kept)
    close(replayed.poses, tensors["output_with_given_indices"])


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
    ours = attention(queries, tensors["input"])
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


RUNNERS = {
    "mixste": run_mixste,
    "hot_mixste": run_hot_mixste,
    "tpc_mixste": run_tpc_mixste,
    "dpc_knn": run_dpc_knn,
    "tra": run_tra,
    "losses": run_losses,
}

"""Uplift and upsample, whose cases hold the authors' order of joints and Keras' order of axes."""

import torch

from htpbench.backbones.uplift import Uplift
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse
from official.common import close, tolerance

TOKEN = "learnable_strided_input_token_layer.learnable_token"


def uplift(args):
    strides = args["strides"]
    return Uplift(
        frames=args["num_frames"],
        lengths=[args["num_frames"]] * args["temporal_depth"],
        blocks=args["temporal_depth"],
        width=args["temporal_d_model"],
        heads=args["num_heads"],
        mlp_ratio=args["mlp_ratio"],
        drop_path=0.0,
        spatial_blocks=args["spatial_depth"],
        spatial_width=args["spatial_d_model"],
        strides=strides,
        paddings=args["paddings"] or [(1, 1)] * len(strides),
        barred=args["first_strided_token_attention_layer"],
    )


def torch_axes(state):
    """Kernels have the axes of outputs last."""
    return {
        key: tensor.permute(*reversed(range(tensor.ndim))) if key.endswith(".kernel") else tensor
        for key, tensor in state.items()
    }


def run_uplift(case, tensors, state):
    args = case["args"]
    lifter = Lifter(uplift(args), args["num_frames"]).eval()
    if not args["has_strided_input"]:  # then it has no token, and needs none
        state[TOKEN] = torch.zeros(args["temporal_d_model"])
    weights.load_official(lifter, parse("uplift-71"), torch_axes(state))
    clip = tensors["input"]
    observed = tensors.get("stride_mask", torch.ones(clip.shape[:2], dtype=torch.bool))
    one, every = lifter.backbone(clip, observed)
    close(one, tensors["output"], tolerance(case, "output"))
    close(every, tensors["output_full"], tolerance(case, "output_full"))
    if observed.all():
        close(lifter(clip).poses, tensors["output"], tolerance(case, "output"))


RUNNERS = {"uplift": run_uplift}

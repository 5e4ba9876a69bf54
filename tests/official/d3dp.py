"""D3DP: its denoiser, its sampler with the stored noise, its aggregations."""

import torch

from htpbench.backbones.d3dp import D3DP
from htpbench.diffusion import aggregate, schedule
from htpbench.diffusion.hypotheses import sample
from htpbench.motion.cameras import Camera
from htpbench.network import weights
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse
from official.common import close

TOLERANCE = 1e-4  # the sine of t up to 999 loses digits: float64 differs from float32 by 1e-5


def network(args, state):
    backbone = D3DP(
        frames=args["frames"],
        lengths=[args["frames"]] * args["depth"],
        blocks=args["depth"],
        width=args["embed"],
        heads=args.get("heads", 8),
        mlp_ratio=args.get("mlp_ratio", 2.0),
        drop_path=0.0,
    )
    lifter = Lifter(backbone, args["frames"]).eval()
    weights.load_official(lifter, parse("d3dp-243"), state)
    return lifter


def run_denoiser(case, tensors, state):
    lifter, noisy = network(case["args"], state), tensors["input_3d"]
    clips, times = tensors["input"], tensors["timesteps"]
    single = lifter(clips, noisy[:, 0], times).poses
    close(single, tensors["output_single"], TOLERANCE)
    clips, times = (x.repeat_interleave(noisy.shape[1], dim=0) for x in (clips, times))
    poses = lifter(clips, noisy.flatten(0, 1), times).poses
    close(poses.unflatten(0, noisy.shape[:2]), tensors["output"], TOLERANCE)


def run_sample(case, tensors, state):
    lifter, args = network(case["args"], state), case["args"]
    steps = range(args["sampling_timesteps"])
    assert schedule.times(args["timestep"], len(steps)) == case["times"]
    noise = torch.stack([tensors[f"noise_{step}"] for step in steps], dim=2)
    for rows in (1, 16):
        poses = sample(lifter, tensors["input"], noise, rows=rows)
        close(poses, tensors["output"], TOLERANCE)
    betas = state["betas"]
    close((1 - betas).cumprod(dim=0), schedule.cosine(args["timestep"]), 1e-12)


def run_jpma(case, tensors, state):
    (fx, fy, cx, cy, k1, k2, k3, p1, p2) = tensors["camera"][0].tolist()
    camera = Camera((1, 0, 0, 0), (0, 0, 0), (fx, fy), (cx, cy), (k1, k2, k3), (p1, p2), 2, 2)
    truth = tensors["ground_truth"].flatten(0, 1)  # (B F, J, 3)
    truth = truth - truth[:, :1]
    poses2d = tensors["input_2d"].flatten(0, 1)  # (B F, J, 2)
    root = tensors["root_trajectory"].flatten(0, 1)  # (B F, 1, 3)

    def project(poses):
        return torch.from_numpy(camera.project((poses + root).double().numpy())).float()

    for step in range(case["args"]["steps"]):
        poses = folded(tensors["predictions"][:, step])
        poses = poses - poses[..., :1, :]
        close(project(poses), folded(tensors["reprojected"][:, step]))
        found = {
            "j_best": aggregate.j_best(poses, truth),
            "p_best": aggregate.p_best(poses, truth),  # one hypothesis for all clips
            "p_agg": aggregate.p_agg(poses),
            "j_agg": aggregate.j_agg(poses, poses2d, project),
        }
        close(found["j_agg"], tensors["aggregated"][:, step].flatten(0, 1))
        for name, pose in found.items():
            close((pose - truth).norm(dim=-1).mean(), tensors[name][step])


def folded(hypotheses):
    """(B, H, F, ...) -> (H, B F, ...)."""
    return hypotheses.transpose(0, 1).flatten(1, 2)


RUNNERS = {"d3dp_denoiser": run_denoiser, "d3dp_sample": run_sample, "d3dp_jpma": run_jpma}

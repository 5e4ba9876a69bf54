"""DiffPose: the graph network with and without time, and the reverse process."""

from htpbench.diffusion.graph import Graph, load_official, skeleton
from htpbench.diffusion.refine import refine
from htpbench.diffusion.schedule import linear
from official.common import close


def graph(args, tensors, state, timed=True):
    width = args["hid_dim"]
    coordinates = tuple(args.get("coords", (5, 5)))
    network = Graph(coordinates, width, args["num_layer"], args["n_head"], timed).eval()
    load_official(network, state)
    close(skeleton(), tensors["adjacency"])
    return network


def run_gcndiff(case, tensors, state):
    network = graph(case["args"], tensors, state)
    close(network(tensors["input"], tensors["timesteps"]), tensors["output"])


def run_gcnpose(case, tensors, state):
    network = graph(case["args"], tensors, state, timed=False)
    close(network(tensors["input"]), tensors["output"])


def run_sample(case, tensors, state):
    network = graph(case["args"], tensors, state)
    close(linear(), (1 - tensors["betas"]).cumprod(dim=0))
    outputs = [name for name in tensors if name.startswith("output_")]
    assert outputs
    for name in outputs:  # output_video_6_1: 6 steps of noise, 1 call
        steps, calls = map(int, name.split("_")[-2:])
        close(refine(network, tensors["input"], steps, calls), tensors[name])


RUNNERS = {
    "diffpose_gcndiff": run_gcndiff,
    "diffpose_gcnpose": run_gcnpose,
    "diffpose_sample": run_sample,
}

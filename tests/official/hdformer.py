"""HDFormer, whose poses are standardised: the case brings means and scales."""

from htpbench.backbones.hdformer import HDFormer
from htpbench.network import weights
from htpbench.network.conventions import Conventions
from htpbench.network.lifter import Lifter
from htpbench.systems.cards import Normalisation
from htpbench.systems.combination import parse
from official.common import close, tolerance


def normalisation(tensors, joints):
    """Of its poses alone: the input of a case is standardised already."""
    mean, std = (tensors[name][0, :, 0].T.tolist() for name in ("mean_3d", "std_3d"))
    return Normalisation(
        mean_2d=[(0, 0)] * joints, std_2d=[(1, 1)] * joints, mean_3d=mean, std_3d=std
    )


def run_hdformer(case, tensors, state):
    args = case["args"]
    assert args["t_kernel"] == 9 and args["attention"] == "merge only"
    backbone = HDFormer(
        frames=args["frames"],
        lengths=[],
        blocks=0,
        widths=args["planes"],
        heads=args["heads"],
        bones=args["max_hop"],
        dropout=0.0,
    )
    conventions = Conventions(normalisation=normalisation(tensors, args["n_joints"]))
    lifter = Lifter(backbone, args["frames"], conventions=conventions).eval()
    weights.load_official(lifter, parse("hdformer-96"), state)
    close(lifter(tensors["input"]).poses, tensors["output"], tolerance(case))


RUNNERS = {"hdformer": run_hdformer}

"""From hypotheses to one pose. P: whole poses, J: joint by joint; "best" looks at the truth.

D3DP, section 3.3. P-Agg and J-Agg (JPMA) can be used. P-Best and J-Best say how good the best
hypothesis is, which nobody knows who has no ground truth: they never stand in one column.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from htpbench.errors import BenchError
from htpbench.motion.views import Views

RULES = ("p-agg", "j-agg", "p-best", "j-best")
Project = Callable[[Tensor], Tensor]


def p_agg(poses: Tensor) -> Tensor:
    """(H, N, J, 3) -> (N, J, 3): the mean."""
    return poses.mean(dim=0)


def j_agg(poses: Tensor, poses2d: Tensor, project: Project) -> Tensor:
    """(H, N, J, 3), (N, J, 2) -> (N, J, 3): of each joint the best reprojected hypothesis.

    project: root-relative poses (H, N, J, 3) to 2D (H, N, J, 2) in the units of poses2d.
    """
    return choose(poses, (project(poses) - poses2d).norm(dim=-1))


def p_best(poses: Tensor, truth: Tensor) -> Tensor:
    """(H, N, J, 3), (N, J, 3) -> (N, J, 3): the best hypothesis for all N. Uses the truth."""
    return poses[(poses - truth).norm(dim=-1).mean(dim=(1, 2)).argmin()]


def j_best(poses: Tensor, truth: Tensor) -> Tensor:
    """(H, N, J, 3), (N, J, 3) -> (N, J, 3). Uses the ground truth."""
    return choose(poses, (poses - truth).norm(dim=-1))


def choose(poses: Tensor, distance: Tensor) -> Tensor:
    """(H, N, J, 3), (H, N, J) -> (N, J, 3): the nearest, the first of equals."""
    nearest = distance.argmin(dim=0, keepdim=True)  # (1, N, J)
    return poses.gather(0, nearest[..., None].expand(-1, -1, -1, 3))[0]


def settle(rule: str, hypotheses: np.ndarray, rows: np.ndarray, views: Views) -> np.ndarray:
    """(N, H, J, 3) mm, root 0, of rows (N,) of the views -> (N, J, 3), by one of RULES.

    J-Agg reprojects with the camera of the view and the root's true trajectory, as D3DP's own
    evaluation does. P-Best chooses once a view.
    """
    poses = torch.from_numpy(hypotheses).transpose(0, 1)  # (H, N, J, 3)
    if rule == "p-agg":
        return p_agg(poses).numpy()
    if rule == "j-best":
        return j_best(poses, torch.from_numpy(views.truth[rows])).numpy()
    view = views.view_of(rows)  # (N,)
    settled = np.empty_like(hypotheses[:, 0])
    for number in np.unique(view):
        here = view == number
        mine = poses[:, torch.from_numpy(here)]
        if rule == "p-best":
            settled[here] = p_best(mine, torch.from_numpy(views.truth[rows[here]])).numpy()
        else:
            poses2d = torch.from_numpy(views.poses2d[rows[here]][..., :2])
            settled[here] = j_agg(mine, poses2d, projection(views, number, rows[here])).numpy()
    return settled


def projection(views: Views, view: int, rows: np.ndarray) -> Project:
    """What shows root-relative poses (H, N, J, 3), mm, where a view's camera sees them."""
    lens = views.lens(view)
    if views.root is None:
        raise BenchError("the data does not say where the root is, which J-Agg needs; take p-agg")
    root = views.root[rows][:, None]  # (N, 1, 3)

    def project(poses: Tensor) -> Tensor:
        pixels = lens.project(poses.numpy().astype(np.float64) + root)
        return torch.from_numpy(lens.normalise(pixels)).float()

    return project

"""Averages over actions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from htpbench.errors import BenchError


def mean_of_action_means(errors: Tensor, actions: Sequence[str]) -> float:
    """Mean over actions of the mean of errors (n,) of each: Human3.6M's protocol, 15 actions.

    `actions` names the action of each error; the two recordings of one action share a name.
    """
    if len(actions) == 0 or errors.shape != (len(actions),):
        raise BenchError(
            f"errors of shape {tuple(errors.shape)} with {len(actions)} action names; "
            "expected one name for each error, and at least one"
        )
    if not errors.isfinite().all():
        raise BenchError("an error is not finite; leave out what does not count: errors[valid]")
    index = torch.from_numpy(np.unique(np.asarray(actions), return_inverse=True)[1])
    index = index.to(errors.device)  # (n,) number of the action
    means = torch.bincount(index, errors.double()) / torch.bincount(index)  # (actions,)
    return means.mean().item()

"""What each rule makes of hypotheses, told batch by batch: of all frames they would not fit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from htpbench import metrics
from htpbench.diffusion.aggregate import settle
from htpbench.motion.views import Views

OF_FRAMES = ("p-agg", "j-agg", "j-best")  # that look at one frame; p-best chooses once a view


@dataclass
class Ruled:
    """Errors by rule, of the hypotheses that went through `settle` with `rule`.

    told: by rule, MPJPE (n,) mm of each batch. each: of every hypothesis (n, H).
    """

    views: Views
    rule: str
    told: dict[str, list[np.ndarray]] = field(default_factory=dict)
    each: list[np.ndarray] = field(default_factory=list)

    @classmethod
    def of(cls, views: Views, rule: str) -> Ruled:
        """BenchError where the rule needs cameras, before anything is lifted."""
        if rule == "j-agg":
            _ = views.lens(0)
        return cls(views, rule)

    def settle(self, hypotheses: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Hypotheses (n, H, J, 3) mm of rows (n,) -> poses (n, J, 3), by the rule."""
        if self.views.poses3d is None:
            return settle(self.rule, hypotheses, rows, self.views)
        made = {
            rule: settle(rule, hypotheses, rows, self.views)
            for rule in OF_FRAMES
            if rule != "j-agg" or self.views.cameras
        }
        truth = torch.from_numpy(self.views.poses3d[rows])
        for rule, poses in made.items():
            errors = metrics.mpjpe(torch.from_numpy(poses), truth).numpy()
            self.told.setdefault(rule, []).append(errors)
        alike = truth[:, None].expand(hypotheses.shape)
        self.each.append(metrics.mpjpe(torch.from_numpy(hypotheses), alike).numpy())
        return made[self.rule]

    def errors(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """MPJPE (n,) mm by rule of all rows (n,) that were settled, in their order."""
        found = {rule: np.concatenate(parts) for rule, parts in self.told.items()}
        if self.each:
            each, view = np.concatenate(self.each), self.views.view_of(rows)
            best = np.empty(len(rows), each.dtype)
            for number in np.unique(view):
                here = view == number
                best[here] = each[here][:, each[here].mean(axis=0, dtype=np.float64).argmin()]
            found["p-best"] = best
        return found

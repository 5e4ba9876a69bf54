"""Errors by action, or by sequence of 3DHP: what the field prints beside its means."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas

from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.systems.catalogue import metric as metric_of

MPJPE, MEAN = "accuracy.mpjpe", "accuracy.mpjpe_action_mean"
OF_SEQUENCES = ("accuracy.pck", "accuracy.auc")
FRAMES, ACTIONS = "accuracy.frames_by_clip", "accuracy.actions_by_clip"
NAMES = "accuracy.frames_by_action"


def action_table(rows: Iterable[Row]) -> pandas.DataFrame:
    """One line a combination and metric, one column an action; empty without a field's protocol.

    PCK and AUC stand where the protocol is of 3DHP, whose sequences are its actions.
    """
    lines = []
    for combination, found in Results.of(rows).measured.items():
        if not {MPJPE, f"{MPJPE}_by_clip", FRAMES, ACTIONS, NAMES} <= found.keys():
            continue
        protocol = found[MPJPE].conditions.get("protocol")
        also = [name for name in OF_SEQUENCES if protocol in metric_of(name).official]
        if not also and protocol not in metric_of(MEAN).official:
            continue
        for name in (MPJPE, *also):
            if f"{name}_by_clip" not in found:  # its line was damaged
                continue
            metric, means = metric_of(name), by_action(found, f"{name}_by_clip")
            cells = {action: f"{mean:.1f}" for action, mean in means.items()}
            what = f"{metric.head} ({metric.unit})"
            lines.append({"combination": combination, "": what, **cells})
    return pandas.DataFrame(lines).fillna("") if lines else pandas.DataFrame()


def by_action(found: dict[str, Row], name: str) -> dict[str, float]:
    """The mean over the frames of each action."""
    values, frames = np.array(found[name].value), np.array(found[FRAMES].value)
    number = np.array(found[ACTIONS].value, dtype=np.int64)
    names = [str(name) for name in found[NAMES].axis or ()]
    sums = np.bincount(number, values * frames, len(names))
    return dict(zip(names, sums / np.bincount(number, frames, len(names)), strict=True))

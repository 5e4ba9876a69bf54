"""Errors by action, or by sequence of 3DHP: what the field prints beside its means."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas

from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.systems.catalogue import metric as metric_of

MPJPE, FRAMES = "accuracy.mpjpe", "accuracy.frames_by_clip"
ACTIONS, NAMES = "accuracy.actions_by_clip", "accuracy.frames_by_action"
SHOWN = (MPJPE, "accuracy.pck", "accuracy.auc")


def action_table(rows: Iterable[Row]) -> pandas.DataFrame:
    """One line a combination and metric, one column an action; empty without a field's protocol.

    PCK and AUC stand where the protocol is of 3DHP, whose sequences are its actions.
    """
    lines = []
    for combination, found in Results.of(rows).measured.items():
        if not {MPJPE, f"{MPJPE}_by_clip", FRAMES, ACTIONS, NAMES} <= found.keys():
            continue
        protocol = found[MPJPE].conditions.get("protocol")
        if not any(
            protocol in metric_of(name).official for name in (*SHOWN, f"{MPJPE}_action_mean")
        ):
            continue
        for name in SHOWN:
            if name == MPJPE or protocol in metric_of(name).official:
                head = metric_of(name)
                means = by_action(found, f"{name}_by_clip")
                cells = {action: f"{mean:.1f}" for action, mean in means.items()}
                lines.append(
                    {"combination": combination, "": f"{head.head} ({head.unit})", **cells}
                )
    return pandas.DataFrame(lines).fillna("") if lines else pandas.DataFrame()


def by_action(found: dict[str, Row], name: str) -> dict[str, float]:
    """The mean over the frames of each action."""
    values, frames = np.array(found[name].value), np.array(found[FRAMES].value)
    number, names = np.array(found[ACTIONS].value, dtype=np.int64), found[NAMES].axis or []
    sums = np.bincount(number, values * frames, len(names))
    return dict(zip(names, sums / np.bincount(number, frames, len(names)), strict=True))

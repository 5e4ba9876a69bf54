"""What a study found, in one sentence: a network of its front beside the plain baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas

from htpbench.report.current import CONTROL, EVERY_THIRD
from htpbench.report.standing import Standing
from htpbench.report.tables import amount, axes_of
from htpbench.study.study import Study
from htpbench.systems.catalogue import metric as metric_of

MPJPE, DELTA = "accuracy.mpjpe", "accuracy.delta"
DOUBTFUL = " (not to be trusted: see the table)"
Line = Mapping[str, Any]  # of a `sweep_table`


def finding(study: Study, table: pandas.DataFrame, standing: Standing) -> str:
    """Which network of the front to take, what it costs, and how the plain baseline does.

    That is the one with the fewest operations among those whose MPJPE is no more than that of the
    unpruned network on every third frame; where none is, the one with the least MPJPE. Where no
    network has both numbers it is the best in what the study asks for first.
    """
    lines = {line["combination"]: line for line in table.to_dict("records")}
    control, base = lines.get(EVERY_THIRD, {}), lines.get(str(study.reference_combination()), {})
    flops, speedup = axes_of(table)
    known = [line for line in lines.values() if not math.isnan(line[MPJPE] + line[flops])]
    best = [line for line in known if line["combination"] in standing.best]
    if not best and known:
        return "no network with a known cost and MPJPE is on the front"
    if not best:
        return foremost(study, table)
    limit = control.get(MPJPE, math.nan)
    as_good = [line for line in best if line[MPJPE] <= limit]
    one = (
        min(as_good, key=lambda line: (line[flops], line[MPJPE]))
        if as_good
        else min(best, key=lambda line: (line[MPJPE], line[flops]))
    )
    sentence = f"of {len(best)} on the front {one['combination']} takes "
    sentence += f"{shown(one, flops)} GFLOPs"
    if one is not base and not math.isnan(base.get(flops, math.nan)):
        share = f"{100 * one[flops] / base[flops]:.0f} %"
        sentence += f", {share} of the {shown(base, flops)} of {base['combination']}"
    if one is not base and not math.isnan(one[speedup]):
        doubt = speedup in table.attrs["doubtful"].get(one["combination"], {})
        sentence += f", is {shown(one, speedup)} times as fast{DOUBTFUL * doubt}"
    sentence += f" and {errs(one)}"
    if not math.isnan(limit):
        sentence += (
            "; the unpruned network on every third frame, at a third of the operations, "
            f"{errs(control)}"
        )
    return sentence


def foremost(study: Study, table: pandas.DataFrame) -> str:
    """The best network in the study's first objective, "" where fewer than two have a number."""
    metric = metric_of(study.objectives[0])
    held = table.loc[~table["combination"].str.startswith(CONTROL)]
    held = held.dropna(subset=metric.name) if metric.name in held else held.iloc[:0]
    doubted = table.attrs["doubtful"]
    if len(held) < 2 or any(metric.name in doubted.get(one, {}) for one in held["combination"]):
        return ""
    most = metric.better == "more"
    line = held.loc[held[metric.name].idxmax() if most else held[metric.name].idxmin()]
    unit = metric.read or metric.unit
    return (
        f"of {len(held)} {line['combination']} has the {'most' if most else 'least'} "
        f"{metric.head}: {shown(line, metric.name)} {unit}"
    )


def errs(line: Line) -> str:
    """The error of a network, and how far it lies from the reference's."""
    sentence = f"has an MPJPE of {amount(line[MPJPE], metric_of(MPJPE))} mm"
    return sentence if math.isnan(line[DELTA]) else f"{sentence} ({shown(line, DELTA, '+')} mm)"


def shown(line: Line, metric: str, sign: str = "") -> str:
    """A number with its interval, where it has one."""
    known = metric_of(metric)
    value, *bounds = (amount(line[each], known, sign) for each in (metric, *known.bounds))
    return f"{value} [{', '.join(bounds)}]" if all(bounds) and bounds else value

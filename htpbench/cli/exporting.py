"""The verb that makes a file to take away."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from htpbench.cli.data import Data, Skeleton, SkipBad, named
from htpbench.cli.shared import Pipeline, Weights, app, err, warn


@app.command(sort_key=6.8)
def export(
    combination: Annotated[str, Parameter(help="What to export.")],
    *,
    weights: Weights = None,
    out: Annotated[Path, Parameter(help="What is written: .onnx or .pt2.")] = Path("lifter.onnx"),
    data: Data = None,
    skip_bad: SkipBad = False,
    skeleton: Skeleton = None,
    pipeline: Pipeline = None,
) -> None:
    """Write a network as a file that runs without htpbench, and compare it with the original."""
    from htpbench.bench.exported import export as write
    from htpbench.measuring.context import Context
    from htpbench.network.weights import fitting
    from htpbench.study.loading import by_hand
    from htpbench.systems.combination import parse

    parsed = parse(combination)
    study = by_hand(
        [parsed],
        ["accuracy"],
        named(data, skip_bad, skeleton),
        {},
        pipeline=pipeline,
        weights=weights or fitting(parsed),
    )
    with err.status("exporting"):
        found = write(Context(study), parsed, out)
    if not found.holds:
        warn(f"not written: the file does not say what {parsed} says; {found}")
        sys.exit(1)
    size = out.stat().st_size / 1e6
    err.print(
        f"written: {out} ({size:.1f} MB); {found}", highlight=False, markup=False, soft_wrap=True
    )

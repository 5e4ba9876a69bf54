"""The verb that lifts: poses instead of numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from htpbench.cli import code
from htpbench.cli.data import Data, Skeleton, SkipBad, named
from htpbench.cli.shared import (
    Device,
    Hypotheses,
    Iterations,
    Pipeline,
    Rule,
    Weights,
    app,
    err,
    natural,
)


@app.command(sort_key=6.7)
def lift(
    combination: Annotated[str, Parameter(help="What to lift with.")],
    *,
    weights: Weights,
    data: Data = None,
    skip_bad: SkipBad = False,
    skeleton: Skeleton = None,
    out: Annotated[Path, Parameter(help="The .npz that is written.")] = Path("poses.npz"),
    pipeline: Pipeline = None,
    hypotheses: Hypotheses = 5,
    iterations: Iterations = 5,
    rule: Rule = "p-agg",
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Write the 3D poses of the test subjects; those of a diffusion lifter are aggregated."""
    from htpbench.bench.poses import save
    from htpbench.measuring.context import Context
    from htpbench.outside.progress import bar
    from htpbench.study.loading import by_hand
    from htpbench.systems.combination import parse

    sampling = {"hypotheses": hypotheses, "iterations": iterations, "rule": rule}
    parsed, data = parse(combination), named(data, skip_bad, skeleton)
    study = by_hand([parsed], ["accuracy"], data, sampling, pipeline=pipeline, weights=weights)
    context = Context(study, device, natural(seed))
    try:
        with bar(err, small=True) as tick:
            save(out, context, parsed, lambda lifted, total: tick(lifted, total, "frames"))
    except KeyboardInterrupt as stop:  # unlike a sweep it begins anew
        err.print("stopped; nothing was written", highlight=False)
        sys.exit(code(stop))
    err.print(f"written: {out}", highlight=False, markup=False, soft_wrap=True)

"""The verb that lifts: poses instead of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from htpbench.cli.shared import (
    Data,
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
    out: Annotated[Path, Parameter(help="The .npz that is written.")] = Path("poses.npz"),
    pipeline: Pipeline = None,
    hypotheses: Hypotheses = 5,
    iterations: Iterations = 5,
    rule: Rule = "p-agg",
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Write the 3D poses of the test subjects; those of a diffusion lifter are aggregated."""
    from htpbench.combination import parse
    from htpbench.poses import save
    from htpbench.setting import Setting
    from htpbench.study import by_hand

    sampling = {"hypotheses": hypotheses, "iterations": iterations, "rule": rule}
    parsed = parse(combination)
    study = by_hand([parsed], ["accuracy"], data, sampling, pipeline=pipeline, weights=weights)
    setting = Setting(study, device, natural(seed))
    with err.status("lifting"):
        save(out, setting, parsed)
    err.print(f"written: {out}", highlight=False, soft_wrap=True)

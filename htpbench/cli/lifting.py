"""The verb that lifts: poses instead of numbers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from htpbench.cli import code
from htpbench.cli.data import Data, Skeleton, SkipBad, named
from htpbench.cli.keypoints import CameraOptions, FileOptions, spec
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
    warn,
)
from htpbench.errors import BenchError

NOTHING_TOLD, AS_IT_IS = FileOptions(), CameraOptions()


@app.command(sort_key=6.7)
def lift(
    combination: Annotated[str, Parameter(help="What to lift with.")],
    *,
    keypoints: Annotated[
        str | None, Parameter(help="A detector's file or folder: the 2D joints of your video.")
    ] = None,
    told: FileOptions = NOTHING_TOLD,
    shown: CameraOptions = AS_IT_IS,
    data: Data = None,
    skip_bad: SkipBad = False,
    skeleton: Skeleton = None,
    weights: Weights = None,
    out: Annotated[
        Path, Parameter(help="What is written: .npz, .json, .csv, .trc or .bvh.")
    ] = Path("poses.npz"),
    pipeline: Pipeline = None,
    hypotheses: Hypotheses = 5,
    iterations: Iterations = 5,
    rule: Rule = "p-agg",
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Write the 3D poses of your keypoints, or of the test subjects of data."""
    from htpbench.bench.lifting import save
    from htpbench.measuring.context import Context
    from htpbench.motion.showing import remarks
    from htpbench.network.weights import fitting
    from htpbench.outside.progress import bar
    from htpbench.study.loading import by_hand
    from htpbench.systems.combination import parse

    sampling = {"hypotheses": hypotheses, "iterations": iterations, "rule": rule}
    parsed, showing = parse(combination), shown.showing()
    if keypoints is None:
        if told != NOTHING_TOLD or shown != AS_IT_IS:
            raise BenchError("--size, --framing and what goes with them are for --keypoints FILE")
        data = named(data, skip_bad, skeleton)
        if any(one.startswith("keypoints:") for one in data or ()):
            raise BenchError("lift keypoints with --keypoints FILE: --data is for test subjects")
    elif data or skip_bad or skeleton:
        raise BenchError("--keypoints and --data both name what is lifted; leave one out")
    else:
        data = [spec(keypoints, told, parsed.card.joints)]
    study = by_hand(
        [parsed],
        ["accuracy"],
        data,
        sampling,
        protocol="once" if keypoints is None else "blended",
        pipeline=pipeline,
        weights=weights or fitting(parsed),
    )
    context = Context(study, device, natural(seed))
    try:
        alone = parsed.card.variants[parsed.variant].root_relative  # sees nobody's size
        for remark in [] if alone else remarks(context.evaluation(parsed).views, showing):
            warn(remark)
        held = context.weights(parsed)
        if weights is None:
            said = trained(study.weights_of(parsed), held.card)
            err.print(said, highlight=False, markup=False, soft_wrap=True)
        with bar(err, small=True) as tick:
            changed = save(
                out, context, parsed, showing, lambda done, total: tick(done, total, "windows")
            )
    except KeyboardInterrupt as stop:  # unlike a sweep it begins anew
        err.print("stopped; nothing was written", highlight=False)
        sys.exit(code(stop))
    told_of = f"written: {out}" + (f"; {changed}" if changed else "")
    err.print(told_of, highlight=False, markup=False, soft_wrap=True)


def trained(name: str, card: dict[str, Any]) -> str:
    """What shipped weights were trained on."""
    recipe = card["recipe"]
    data = " and ".join(recipe["data"])
    detections = ", ".join(recipe.get("detectors") or [recipe["detections"]])
    cameras = "cameras unlike each other" if recipe.get("filmed") else "four cameras"
    return f"weights: {name}, trained on {data} as {cameras} see them, simulated {detections}"

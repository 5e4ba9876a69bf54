"""The verb that trains."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from htpbench.cli.data import Skeleton, SkipBad, named
from htpbench.cli.shared import Device, app, err, natural


@app.command(sort_key=6)
def train(
    combination: Annotated[str, Parameter(help="What to train, for example mixste.tiny-81.")],
    *,
    data: Annotated[list[str], Parameter(help="As in sweep; repeat to mix.")],
    skip_bad: SkipBad = False,
    skeleton: Skeleton = None,
    begin: Annotated[
        str | None, Parameter(help="Weights to begin with, also of another F.")
    ] = None,
    out: Annotated[Path, Parameter(help="Folder of the checkpoint.")] = Path("runs/train"),
    steps: Annotated[int | None, Parameter(help="Default: what the recipe says.")] = None,
    epochs: Annotated[int | None, Parameter(help="Instead of --steps.")] = None,
    minutes: Annotated[
        float | None, Parameter(help="Of computing, instead of --steps; scores are not in it.")
    ] = None,
    recipe: Annotated[
        Path | None, Parameter(help="A file as in baselines/recipes; default: the backbone's.")
    ] = None,
    batch: Annotated[int | None, Parameter(help="Windows a step; default: the recipe's.")] = None,
    rate: Annotated[float | None, Parameter(help="Peak; default: the recipe's.")] = None,
    precision: Annotated[
        Literal["float32", "bfloat16"] | None,
        Parameter(help="Of the forward pass; default: bfloat16 on CUDA that has it, else float32."),
    ] = None,
    any_schedule: Annotated[
        bool, Parameter(negative="", help="One network for all schedules: each step draws one.")
    ] = False,
    best_on: Annotated[
        Literal["held-out", "test"],
        Parameter(
            help="What chooses the best weights: a training subject (if there are two), or tests."
        ),
    ] = "held-out",
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Train a combination after its recipe, or with --any-schedule one network for all. Resumes."""
    from htpbench.datasets import open_data
    from htpbench.learning.recipes import Recipe, read
    from htpbench.measuring.context import check_device
    from htpbench.outside.progress import bar
    from htpbench.report.figures.learning import learning
    from htpbench.training.held_out import typical
    from htpbench.training.history import ends
    from htpbench.training.train import train as learn
    from htpbench.training.train import usual_precision

    check_device(device)
    data = named(data, skip_bad, skeleton) or []
    first = open_data(data[0])
    held_out = typical(first) if best_on == "held-out" else ""
    asked = Recipe.of(
        combination,
        tuple(data),
        None if recipe is None else read(recipe),
        steps=steps,
        epochs=epochs,
        minutes=minutes,
        begin=begin,
        batch=batch,
        rate=rate,
        precision=precision or usual_precision(device),
        any_schedule=any_schedule,
        seed=natural(seed),
        detections=first.detections,
        held_out=(held_out,) if held_out else (),
    )
    with bar(err, small=True) as tick:
        path = learn(asked, out, device, lambda i, n, loss: tick(i, n, f"loss {loss:.4f}"))
    if (out / "best.safetensors").exists():
        learning({combination: path.with_suffix(".json")}, out, "learning")
    err.print(ends(path), highlight=False, markup=False, soft_wrap=True)
    err.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)

"""Export: a combination with its weights as a file, which is opened again and compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from htpbench.engines import onnxruntime
from htpbench.errors import BenchError
from htpbench.exporting import onnx, pt2
from htpbench.exporting.agreement import Agreement, Inputs, compare
from htpbench.exporting.told import told
from htpbench.measuring.context import Context
from htpbench.network import weights
from htpbench.outside.drafts import write_file
from htpbench.systems.combination import Combination

CLIPS, BATCH = 16, 4  # compared: so many of noise, and at most so many real ones
METRE = {"m": 1.0, "mm": 1000.0}  # of what networks say; else as good as one
FORMATS = {".onnx": (onnx.write, onnxruntime.opened), ".pt2": (pt2.write, pt2.opened)}


def check(path: Path) -> None:
    """BenchError where a file of this name cannot be written."""
    if path.suffix not in FORMATS:
        raise BenchError(f"--out {path}: expected a name that ends in {' or '.join(FORMATS)}")
    if path.suffix == ".onnx":
        onnxruntime.Onnxruntime().check("onnxruntime", "float32", "cpu")


def export(context: Context, combination: Combination, path: Path) -> Agreement:
    """Write a combination with the study's weights, and compare the file with the network.

    A file that says something else takes no other one's place.
    """
    check(path)
    lifter, held = context.lifter(combination), context.weights(combination)
    name, pipeline = context.study.weights_of(combination), context.pipeline(combination)
    source = None if name == "random" else weights.find(name)
    says = told(combination, pipeline, lifter, held.card, source)
    write, opened = FORMATS[path.suffix]
    with TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        try:
            write(lifter, made, says)
        except BenchError:
            raise
        except Exception as error:  # whatever in an exporter trips over a part
            said = str(error).strip().partition("\n")[0]
            raise BenchError(
                f"{combination} cannot be exported: {said}; a part of it may read values of "
                "tensors, as .item(), .tolist() and `if` do"
            ) from error
        try:
            call = opened(made)
        except Exception as error:  # an engine that cannot read what was written
            said = str(error).strip().partition("\n")[0]
            raise BenchError(f"{combination} is exported and cannot be opened: {said}") from error
        every = inputs(context, combination, lifter.example)
        found = compare(lifter, call, every, METRE.get(held.card.get("unit", "m"), 1.0))
        if found.holds:
            write_file(path, made.read_bytes(), "choose another --out")
    return found


def inputs(
    context: Context, combination: Combination, example: Callable[..., Inputs]
) -> Iterator[Inputs]:
    """Noise, then evenly chosen windows of the test subjects, in batches."""
    for seed in range(CLIPS // BATCH):
        yield example(BATCH, seed=seed)
    evaluation = context.evaluation(combination)
    windows, views = evaluation.windows, evaluation.views
    chosen = windows.thin(CLIPS)
    for first in range(0, len(chosen), BATCH):
        index = chosen[first : first + BATCH].index
        drawn = example(len(index), seed=first)
        clips = torch.from_numpy(views.poses2d.take(index, axis=0)[..., : drawn[0].shape[-1]])
        yield (clips, *drawn[1:])

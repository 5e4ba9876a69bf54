"""A lifter as an ONNX file."""

from __future__ import annotations

import hashlib
import logging
import pickle
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from htpbench.exporting.plain import asked, outputs
from htpbench.network.lifter import Lifter
from htpbench.outside.drafts import draft

OPSET = 20


def write(lifter: Lifter, path: Path, told: Mapping[str, str]) -> None:
    """Write a lifter and what is told of it (`metadata_props`) to one file."""
    plain, inputs, shapes = asked(lifter)
    with quiet(), torch.no_grad():
        made = torch.onnx.export(
            plain,
            inputs,
            dynamic_shapes=shapes,
            input_names=lifter.backbone.inputs,
            output_names=outputs(lifter),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert made is not None
    made.model.metadata_props.update(told)
    with draft(path) as file:
        made.save(file.name)


@contextmanager
def written(lifter: Lifter, kept: Path | None = None) -> Iterator[Path]:
    """A file of a lifter that is gone after the block.

    In a folder of `kept` files it stays, and is there the next time that the same lifter comes.
    """
    with ExitStack() as block:
        folder = kept or Path(block.enter_context(tempfile.TemporaryDirectory()))
        path = folder / f"{digest(lifter) if kept else 'network'}.onnx"
        if not path.exists():
            write(lifter, path, {})
        yield path


def digest(lifter: Lifter) -> str:
    """What tells lifters of the same code apart: all that they hold."""
    return hashlib.sha256(pickle.dumps(lifter)).hexdigest()


@contextmanager
def quiet() -> Iterator[None]:
    """Without what the exporter says of itself, and of packages that it could know of."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        log.setLevel(before)

"""A lifter as an ONNX file."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
def written(lifter: Lifter) -> Iterator[Path]:
    """A file of a lifter that is gone after the block."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        write(lifter, path, {})
        yield path


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

"""A lifter as an ONNX file."""

from __future__ import annotations

import hashlib
import logging
import pickle
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

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
    name = digest(lifter) if kept else ""
    with tempfile.TemporaryDirectory() as folder:
        path = kept / f"{name}.onnx" if kept and name else Path(folder) / "network.onnx"
        if not path.exists():
            write(lifter, path, {})
        yield path


def digest(lifter: Lifter) -> str:
    """What tells lifters of the same code apart, all that they hold; "" where that is not known."""
    found = hashlib.sha256()
    try:
        Content(Sink(found.update)).dump(lifter)
    except Exception:  # a part of another's may hold anything
        return ""
    return found.hexdigest()


class Sink:
    """What takes the bytes of a pickle."""

    def __init__(self, take: Callable[[bytes], object]) -> None:
        self.take = take

    def write(self, content: bytes) -> None:
        """See file objects."""
        self.take(content)


class Content(pickle.Pickler):
    """What objects hold: of tensors their values, which pickles of torch's name by their place."""

    def reducer_override(self, held: Any) -> Any:
        """See pickle."""
        if not isinstance(held, Tensor):
            return NotImplemented
        values = held.detach().contiguous().numpy().tobytes()
        return tuple, ((str(held.dtype), *held.shape, values),)


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

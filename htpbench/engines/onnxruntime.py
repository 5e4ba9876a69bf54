"""ONNX Runtime on the CPU."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htpbench.engines import Call, OnnxEngine

if TYPE_CHECKING:
    from torch import Tensor


class Onnxruntime(OnnxEngine):
    """ONNX Runtime on the CPU.

    int8: weights of matrix products, and their inputs as they come (dynamic quantisation).
    """

    packages = ("onnx", "onnxscript", "onnxruntime")
    extra = "onnx"
    precisions = ("float32", "int8")

    def opened(self, path: Path, precision: str) -> Call:
        """See OnnxEngine."""
        return opened(path if precision == "float32" else quantised(path))


def opened(path: Path) -> Call:
    """A file as a call."""
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def call(*inputs: Tensor) -> tuple[Tensor, ...]:
        fed: dict[str, Any] = {n: x.numpy() for n, x in zip(names, inputs, strict=True)}
        return tuple(torch.from_numpy(one) for one in session.run(None, fed))

    return call


def quantised(path: Path) -> Path:
    """The file with matrix products in int8, beside it.

    Unsigned weights: products of signed ones with unsigned inputs overflow on CPUs without VNNI.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    made, draft = path.with_suffix(".int8.onnx"), path.with_suffix(".draft.onnx")
    if made.exists():
        return made
    log = logging.getLogger()  # which is told to prepare the file, and has nothing to gain from it
    log.addFilter(silent)
    try:
        quantize_dynamic(path, draft, ["MatMul", "Gemm"], weight_type=QuantType.QUInt8)
    finally:
        log.removeFilter(silent)
    return draft.rename(made)


def silent(record: logging.LogRecord) -> bool:
    """Lets nothing pass."""
    return False

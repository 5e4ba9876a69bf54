"""OpenVINO on the CPU."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htpbench.engines import Call, OnnxEngine
from htpbench.errors import BenchError

if TYPE_CHECKING:
    from torch import Tensor

TYPES = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
CAPABILITIES = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16"}


class Openvino(OnnxEngine):
    """OpenVINO on the CPU."""

    packages = ("onnx", "onnxscript", "openvino")
    extra = "openvino"
    precisions = tuple(TYPES)

    def check(self, name: str, precision: str, device: str) -> None:
        """See Engine; what a CPU lacks it would compute in float32, and not say so."""
        super().check(name, precision, device)
        able = started().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if CAPABILITIES[precision] not in able:
            raise BenchError(f"this CPU has no {precision} for the engine {name}; it has {able}")

    def opened(self, path: Path, precision: str) -> Call:
        """See OnnxEngine."""
        return opened(path, precision)


@cache
def started() -> Any:
    """OpenVINO itself, for as long as the process lives.

    It gives signals a stack of its own and takes it away when it goes, in whatever order: where a
    second one had started, Ctrl-C would then find none, and the process would crash.
    """
    import openvino

    return openvino.Core()


def opened(path: Path, precision: str) -> Call:
    """A file as a call."""
    import torch

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": TYPES[precision],
    }
    core = started()
    request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()

    def call(*inputs: Tensor) -> tuple[Tensor, ...]:
        found = request.infer([one.numpy() for one in inputs])
        return tuple(torch.from_numpy(one.copy()) for one in found.values())

    return call

"""Engines: what runs a network, one file each, named as the engine is."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from inspect import isabstract
from typing import TYPE_CHECKING, ClassVar

from htpbench.errors import BenchError, unknown

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from htpbench.network.lifter import Lifter

Call = Callable[..., "tuple[Tensor, ...]"]  # as htpbench.exporting.plain.Plain


class Engine(ABC):
    """Makes a lifter into a call of the same inputs and outputs; see `Plain`.

    A module that declares one must load without torch and without the engine's own packages.
    """

    packages: ClassVar[tuple[str, ...]] = ()  # that it imports, what runs networks last
    extra: ClassVar[str] = ""  # of htpbench, which installs them
    precisions: ClassVar[tuple[str, ...]] = ("float32",)
    devices: ClassVar[tuple[str, ...]] = ("cpu",)

    @classmethod
    def fault(cls, name: str) -> str | None:
        """What is wrong with the declaration of an engine; None: nothing."""
        if isabstract(cls):
            missing = " and ".join(sorted(cls.__abstractmethods__))
            return f"it lacks {missing}"
        return None

    def check(self, name: str, precision: str, device: str) -> None:
        """BenchError where the engine of a name cannot run so here, with the remedy."""
        if missing := [one for one in self.packages if importlib.util.find_spec(one) is None]:
            raise BenchError(
                f"the engine {name} needs {', '.join(missing)}; "
                f'install with `pip install "htpbench[{self.extra}]"`'
            )
        if precision not in self.precisions:
            raise unknown(f"precision of {name}", precision, self.precisions)
        if device.partition(":")[0] not in self.devices:
            raise unknown(f"device of {name}", device, self.devices)

    @classmethod
    def version(cls) -> str:
        """What decides its numbers beside torch: the release of its last package, or ""."""
        if not cls.packages:
            return ""
        name = cls.packages[-1]
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # as onnxruntime-gpu brings onnxruntime
            brought = importlib.metadata.packages_distributions().get(name, [])
            return importlib.metadata.version(brought[0]) if brought else ""

    @abstractmethod
    def prepare(self, lifter: Lifter, precision: str) -> Call:
        """The lifter, ready to be called; as many threads as torch has."""


class OnnxEngine(Engine):
    """Makes an ONNX file of a lifter into a call."""

    @abstractmethod
    def opened(self, path: Path, precision: str) -> Call:
        """The file, ready to be called; as many threads as torch has."""

    def prepare(self, lifter: Lifter, precision: str) -> Call:
        """See Engine."""
        from htpbench.exporting.onnx import written

        with written(lifter) as path:
            return self.opened(path, precision)

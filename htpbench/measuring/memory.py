"""Memory of one forward pass: storages of tensors on the CPU, what CUDA's allocator gave there."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from htpbench.network.lifter import Lifter
from htpbench.records.measurement import Measurement


class Held(TorchDispatchMode):
    """Counts the bytes of the storages that live, and the most of them at once.

    A storage counts from the operation that makes it until nobody holds it; what an operation uses
    inside itself is not seen.
    """

    def __init__(self, *tensors: Tensor) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: dict[int, weakref.ref] = {}
        for one in tensors:
            self.add(one)

    def add(self, tensor: Tensor) -> None:
        """Count the storage of a tensor, once."""
        storage = tensor.untyped_storage()
        place, size = id(storage), storage.nbytes()
        if place in self.known:
            return
        self.known[place] = weakref.ref(storage, lambda _: self.went(place, size))
        self.came(place, size)

    def came(self, place: int, size: int) -> None:
        """A storage, by a number that is its own as long as it lives."""
        self.now += size
        self.peak = max(self.peak, self.now)

    def went(self, place: int, size: int) -> None:
        """It is gone."""
        self.now -= size
        del self.known[place]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self.add(leaf)
        return out


def measure(lifter: Lifter, batch: int = 1, device: str = "cpu") -> list[Measurement]:
    """The peak of one pass and what the weights take of it, in bytes."""
    lifter = lifter.eval().to(device)
    parameters = [*lifter.parameters(), *lifter.buffers()]
    inputs = lifter.example(batch, device)
    weights = sum({one.untyped_storage().data_ptr(): nbytes(one) for one in parameters}.values())
    if torch.device(device).type == "cuda":
        with torch.inference_mode():
            lifter(*inputs)  # what cuBLAS takes at the first product of a process is no network's
        before = torch.cuda.memory_allocated(device) - weights - sum(map(nbytes, inputs))
        torch.cuda.reset_peak_memory_stats(device)
        with torch.inference_mode():  # not around `to`, which would end the lifter's training
            lifter(*inputs)
        peak = torch.cuda.max_memory_allocated(device) - before
    else:
        with torch.inference_mode(), Held(*parameters, *inputs) as held:
            lifter(*inputs)
        peak = held.peak
    return [Measurement("memory.peak", peak), Measurement("memory.weights", weights)]


def nbytes(tensor: Tensor) -> int:
    """Of a tensor's storage."""
    return tensor.untyped_storage().nbytes()

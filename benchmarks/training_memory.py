"""The printed GPU memory of H2OT's Tables 3 and 4 beside what a training step is counted to hold.

    python benchmarks/training_memory.py              the 36 cells, and the lines through them
    python benchmarks/training_memory.py --reserved   what CUDA's allocator would reserve, too

The allocator is simulated by its published rules: sizes are rounded to 512 B, up to 1 MiB come from
segments of 2 MiB, up to 10 MiB from segments of 20 MiB, more from segments of their own, rounded to
2 MiB; the smallest free block that fits is taken and split, and free neighbours are joined.
"""

import argparse
import weakref

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from htpbench.learning.recipes import Recipe
from htpbench.measuring.learning import STEPS, Step, memory
from htpbench.network.build import build
from htpbench.report.published import published
from htpbench.systems.combination import parse

MIB, GIB = 2**20, 2**30


class Trace(TorchDispatchMode):
    """In order: (number, bytes) of each storage that comes, (number, 0) when it goes."""

    def __init__(self):
        super().__init__()
        self.events, self.known = [], {}

    def add(self, tensor):
        storage = tensor.untyped_storage()
        if id(storage) in self.known or not storage.nbytes():
            return
        number = self.known[id(storage)] = len(self.events)
        self.events.append((number, storage.nbytes()))
        weakref.finalize(storage, self.gone, id(storage), number)

    def gone(self, place, number):
        if self.known.get(place) == number:
            del self.known[place]
        self.events.append((number, 0))

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self.add(leaf)
        return out


class Block:
    """A part of a segment."""

    def __init__(self, size, small, before=None, after=None):
        self.size, self.small, self.before, self.after = size, small, before, after
        self.used = False


class Allocator:
    """CUDA's, which caches; `reserved` bytes, `peak` of those that are given out."""

    def __init__(self):
        self.reserved = self.given = self.peak = 0
        self.free, self.live = {True: set(), False: set()}, {}

    def take(self, number, size):
        size = -(-size // 512) * 512
        small = size <= MIB
        fitting = [block for block in self.free[small] if block.size >= size]
        if fitting:
            block = min(fitting, key=lambda one: one.size)
            self.free[small].remove(block)
        else:
            rounded = -(-size // (2 * MIB)) * 2 * MIB
            block = Block(
                2 * MIB if small else max(20 * MIB, rounded) if size < 10 * MIB else rounded, small
            )
            self.reserved += block.size
        rest = block.size - size
        if rest >= 512 if small else rest > MIB:
            other = Block(rest, small, block, block.after)
            if block.after:
                block.after.before = other
            block.after, block.size = other, size
            self.free[small].add(other)
        block.used, self.live[number] = True, block
        self.given += block.size
        self.peak = max(self.peak, self.given)

    def give(self, number):
        block = self.live.pop(number)
        self.given -= block.size
        block.used = False
        for other in (block.before, block.after):
            if other and not other.used:
                self.free[block.small].remove(other)
                block.size += other.size
                if other is block.before:
                    block.before = other.before
                    if other.before:
                        other.before.after = block
                else:
                    block.after = other.after
                    if other.after:
                        other.after.before = block
        self.free[block.small].add(block)


def step_of(text, pipeline):
    """A network on the meta device, in training."""
    with torch.device("meta"):
        lifter = build(parse(text), pipeline)
    return Step(Recipe.of(text, ()), lifter)


def reserved(step):
    """Bytes allocated at most, and reserved in the end."""
    with FakeTensorMode(allow_non_fake_inputs=True), sdpa_kernel(SDPBackend.MATH):
        step, trace, allocator = step.to_empty(device="cpu"), Trace(), Allocator()
        inputs = step.example(step.recipe.batch)
        for one in (*step.parameters(), *step.buffers(), *inputs):
            trace.add(one)
        with trace:
            for _ in range(STEPS):
                step(*inputs)
    for number, size in trace.events:
        if size:
            allocator.take(number, size)
        elif number in allocator.live:
            allocator.give(number)
    return allocator.peak, allocator.reserved


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reserved", action="store_true")
    asked = parser.parse_args()
    cells = [one for table in (3, 4) for one in published(table).to_dict("records")]
    known, lines = {}, []
    for cell in (one for one in cells if one["metric"] == "gpu_memory"):
        text, pipeline = cell["combination"], cell["pipeline"]
        if (text, pipeline) not in known:
            known[text, pipeline] = memory(step_of(text, pipeline), plain=True) / GIB
            if asked.reserved:
                given, kept = (one / GIB for one in reserved(step_of(text, pipeline)))
                print(
                    f"  {text}: {given:.2f} GiB allocated, {kept:.2f} reserved, {kept / given:.3f}"
                )
        lines.append((text, cell["value"], known[text, pipeline]))
        print(
            f"{text} {pipeline}: printed {cell['value']} GB, counted {lines[-1][2]:.2f} GiB",
            flush=True,
        )
    for name in sorted({text.partition("-")[0] for text, *_ in lines}):
        mine = np.array([numbers for text, *numbers in lines if text.startswith(name)])
        slope, constant = np.polyfit(mine[:, 1], mine[:, 0], 1)
        off = np.abs(slope * mine[:, 1] + constant - mine[:, 0]).max()
        told = f"{slope:.3f} x counted + {constant:.2f} GB, off by at most {off:.2f}"
        print(f"{name}, {len(mine)} cells: printed = {told}")


if __name__ == "__main__":
    main()

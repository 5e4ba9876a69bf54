"""The printed GPU memory of H2OT's Tables 3 and 4 beside what a training step is counted to hold.

    python benchmarks/training_memory.py              the 36 cells, and the lines through them
    python benchmarks/training_memory.py --reserved   what CUDA's allocator would reserve, too

The allocator is simulated by its published rules: sizes are rounded to 512 B, up to 1 MiB come from
segments of 2 MiB, up to 10 MiB from segments of 20 MiB, more from segments of their own, rounded to
2 MiB; the smallest free block that fits is taken and split, and free neighbours are joined.
"""

import argparse

import numpy as np
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel

from htpbench.learning.recipes import Recipe
from htpbench.measuring.learning import STEPS, Step, memory
from htpbench.measuring.memory import Held
from htpbench.network.build import build
from htpbench.report.published import published
from htpbench.systems.combination import parse

MIB, GIB = 2**20, 2**30
CONTEXT = 1.25  # GB of a CUDA process without a network: what the lines say
NEAR = 0.05  # of a ratio


class Trace(Held):
    """Also in order: (number, bytes) of each storage that comes, (number, 0) when it goes."""

    def __init__(self, *tensors):
        self.events = []
        super().__init__(*tensors)

    def came(self, place, size):
        super().came(place, size)
        self.events.append((place, size))

    def went(self, place, size):
        super().went(place, size)
        self.events.append((place, 0))


class Block:
    """A part of a segment, which is the list of its blocks."""

    def __init__(self, size, segment):
        self.size, self.segment, self.used = size, segment, False


class Allocator:
    """CUDA's, which caches; `reserved` bytes, `peak` of those that are given out."""

    def __init__(self):
        self.reserved = self.given = self.peak = 0
        self.segments = {True: [], False: []}  # small ones, and others
        self.live = {}

    def take(self, number, size):
        size = -(-size // 512) * 512
        small = size <= MIB
        blocks = (block for segment in self.segments[small] for block in segment)
        fitting = [block for block in blocks if not block.used and block.size >= size]
        block = min(fitting, key=lambda one: one.size) if fitting else self.reserve(size, small)
        rest = block.size - size
        if rest >= 512 if small else rest > MIB:
            block.size = size
            after = block.segment.index(block) + 1
            block.segment.insert(after, Block(rest, block.segment))
        block.used, self.live[number] = True, block
        self.given += block.size
        self.peak = max(self.peak, self.given)

    def reserve(self, size, small):
        least = 2 * MIB if small else 20 * MIB if size < 10 * MIB else size
        segment = []
        segment.append(Block(-(-least // (2 * MIB)) * 2 * MIB, segment))
        self.segments[small].append(segment)
        self.reserved += segment[0].size
        return segment[0]

    def give(self, number):
        block = self.live.pop(number)
        self.given -= block.size
        block.used = False
        place = block.segment.index(block)
        for first in (place, place - 1):  # with the block behind it, then with the one before
            pair = block.segment[max(first, 0) : first + 2]
            if len(pair) == 2 and not any(one.used for one in pair):
                pair[0].size += pair[1].size
                block.segment.remove(pair[1])


def step_of(text, pipeline):
    """A network on the meta device, in training."""
    with torch.device("meta"):
        lifter = build(parse(text), pipeline)
    return Step(Recipe.of(text, ()), lifter)


def reserved(step):
    """Bytes allocated at most, and reserved in the end."""
    with FakeTensorMode(allow_non_fake_inputs=True), sdpa_kernel(SDPBackend.MATH):
        step = step.to_empty(device="cpu")
        inputs = step.example(step.recipe.batch)
        with Trace(*step.parameters(), *step.buffers(), *inputs) as trace:
            for _ in range(STEPS):
                step(*inputs)
        events = list(trace.events)  # those that follow are not of a step
    allocator = Allocator()
    for number, size in events:
        if size:
            allocator.take(number, size)
        elif number in allocator.live:  # what holds no bytes was not taken
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
    whole = {text: numbers for text, *numbers in lines if "+" not in text}
    gaps = {}
    for place, (text, printed, counted) in enumerate(lines):
        if "+" in text:
            most, all_counted = whole[text.partition("+")[0]]
            gaps[place] = (printed - CONTEXT) / (most - CONTEXT) / (counted / all_counted) - 1
    near = sum(abs(gap) <= NEAR for gap in gaps.values())
    print(f"{near} of {len(gaps)} pruned cells: ratio to unpruned within {NEAR:.0%} of ours")
    for place, gap in gaps.items():
        if abs(gap) > NEAR:
            print(f"  {lines[place][0]}: printed {gap:+.1%}")


if __name__ == "__main__":
    main()

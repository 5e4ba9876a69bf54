"""Every built system as an ONNX file: what is exported, what it says, what is refused and why.

One line a cell as it is done, then a count; names of backbones limit it.

    python -m benchmarks.export_matrix [BACKBONE...]
"""

import sys
import tempfile
from collections import Counter
from itertools import product
from pathlib import Path

import torch

from htpbench.engines.onnxruntime import opened
from htpbench.errors import BenchError
from htpbench.exporting.agreement import compare
from htpbench.exporting.onnx import write
from htpbench.network.build import build
from htpbench.systems.cards import shipped

BATCHES = (1, 3)


def names(backbone):
    """A backbone at its tiny size: whole, and with every pruner and recoverer."""
    card = shipped("backbone")[backbone]
    size, step = card.variants["tiny"], card.multiple_of
    whole = f"{backbone}.tiny-{size.frames or -(-27 // step) * step}"
    yield whole
    for pruner, recoverer in product(shipped("pruner"), (None, *shipped("recoverer"))):
        pruned = f"{whole}+{pruner}:9@{max(size.blocks - 1, 0)}"
        yield pruned if recoverer is None else f"{pruned}+{recoverer}"


def state(name, folder):
    """What becomes of a combination, in words."""
    torch.manual_seed(0)
    try:
        lifter = build(name)
    except BenchError as error:
        return "refused", str(error)
    try:
        path = Path(folder) / "network.onnx"
        write(lifter, path, {})
        told = compare(lifter, opened(path), (lifter.example(n, seed=n) for n in BATCHES))
    except Exception as error:  # whatever an exporter or an engine raises is what is asked for
        return "fails", f"{type(error).__name__}: {error}".splitlines()[0]
    return ("exported" if told.holds and told.same == told.clips else "other"), str(told)


def main():
    count = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for backbone in sys.argv[1:] or shipped("backbone"):
            for name in names(backbone):
                found, said = state(name, folder)
                count[found] += 1
                print(f"{found:9} {name}: {said}", flush=True)
    print(", ".join(f"{found} {number}" for found, number in count.items()))


if __name__ == "__main__":
    main()

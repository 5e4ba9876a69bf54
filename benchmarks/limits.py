"""The floor: what products of matrices reach under each engine, and what share networks do.

The ceiling is a network of square layers as wide as MixSTE's on as many tokens, and nothing else.

    python -m benchmarks.limits [COMBINATION...] [--engines eager,openvino:bfloat16] [--threads 1]
"""

import numpy as np
from torch import nn

from benchmarks import engines
from htpbench import BACKBONES, Backbone, Block
from htpbench.measuring.sampled import call
from htpbench.network.build import build
from htpbench.records.clocks import mean_log

CEILING = "products-243"
SCHEDULE = "tps:121@0,81@3+tri"
NAMES = [
    f"{one}-243{pruned}"
    for one in ("mixste", "motionbert", "motionagformer")
    for pruned in ("", f"+{SCHEDULE}")
]


class Product(Block):
    def __init__(self, width):
        super().__init__()
        self.layer = nn.Linear(width, width)

    def forward(self, tokens, allowed=None):
        return self.layer(tokens)


@BACKBONES.register("products")
class Products(Backbone):
    """Layers alone."""

    mixes_frames = True  # nothing says that masks are heeded

    def __init__(self, frames, lengths, blocks=32, width=512):
        super().__init__()
        self.width, self.enter, self.leave = width, nn.Linear(2, width), nn.Linear(width, 3)
        self.blocks = nn.ModuleList(Product(width) for _ in range(blocks))

    def embed(self, poses2d):
        return self.enter(poses2d)

    def head(self, tokens):
        return self.leave(tokens)


def process(*asked):
    """What one process tells of each cell; here, so that it knows the backbone above."""
    return engines.process(*asked)


def main():
    asked = engines.arguments(__doc__)
    names = [CEILING, *(asked.combinations or NAMES)]
    cells = engines.crossed(names, asked.engines)
    parts = engines.in_processes(process, cells, asked)
    operations = {name: call(build(name))[1] for name in names}
    rates = {
        cell: np.log([operations[cell[0]] / np.median(part[cell]["rounds"]) for part in parts])
        for cell in cells
        if all(cell in part for part in parts)
    }
    print("engine, precision, combination: GFLOP/s, share of what products reach there")
    for (name, engine, precision), found in rates.items():
        ceiling = rates.get((CEILING, engine, precision))
        if ceiling is None:
            continue
        share, half = mean_log(found - ceiling)
        ends = [np.exp(share - half), np.exp(share + half)] if np.isfinite(half) else []
        rate = np.exp(mean_log(found)[0]) / 1e9
        between = " ".join(f"{end:.2f}" for end in ends)
        print(f"{engine:12} {precision:9} {name:45} {rate:7.1f} {np.exp(share):5.2f} [{between}]")


if __name__ == "__main__":
    main()

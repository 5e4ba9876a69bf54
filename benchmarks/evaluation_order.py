"""Memory and time of the evaluation order of as many frames as Human3.6M's test subjects have.

    python -m benchmarks.evaluation_order

Views of random lengths, 543,344 frames in 236 videos of four cameras together; F = 351, seq2frame:
one window a frame. No poses are made: what is measured is which rows each batch shows.
"""

from __future__ import annotations

import resource
import time

import numpy as np

from htpbench.measuring.prediction import BATCH
from htpbench.motion.protocols import cut
from htpbench.motion.views import Views

FRAMES, VIDEOS = 543_344, 236


def views() -> Views:
    """Views without poses."""
    drawn = np.random.default_rng(0).lognormal(7.6, 0.4, VIDEOS)
    lengths = np.round(drawn * FRAMES / drawn.sum()).astype(np.int64)
    stop = np.cumsum(lengths)
    nothing, number = np.zeros((int(stop[-1]), 1, 1), np.float32), np.arange(VIDEOS)
    return Views(
        poses2d=nothing,
        poses3d=nothing,
        root=nothing[:, 0],
        valid=np.ones(len(nothing), dtype=bool),
        start=stop - lengths,
        stop=stop,
        clip=number,
        camera=number,
        rates=np.full(VIDEOS, 50.0),
        clips=(),
        cameras=None,
        source="none",
    )


def peak() -> float:
    """GiB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    """Print what it takes."""
    shown = views()
    before, began = peak(), time.perf_counter()
    windows = cut(shown, 351, "seq2frame")
    done = time.perf_counter()
    rows = 0
    for first in range(0, len(windows), BATCH):
        batch = windows[first : first + BATCH]
        rows += len(batch.index[batch.scored])
    seconds = time.perf_counter() - done
    print(f"{len(windows)} windows of {rows} frames: cut in {done - began:.2f} s, batches in")
    print(f"{seconds:.1f} s, {peak() - before:.3f} GiB more than before at most")


if __name__ == "__main__":
    main()

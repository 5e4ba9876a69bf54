"""Which blocks have a temporal attention that a pruner can read."""

from __future__ import annotations

from htpbench.errors import BenchError
from htpbench.network.contracts import Backbone, Block


def readable(backbone: Backbone) -> list[int]:
    """The blocks whose temporal attention a pruner can read."""
    blocks = enumerate(backbone.blocks)
    return [i for i, block in blocks if type(block).received is not Block.received]  # type: ignore


def check_attention(who: str, schedule: tuple[tuple[int, int], ...], backbone: Backbone) -> None:
    """BenchError where a pruner would read the attention of a block that has none."""
    places = readable(backbone)
    for _, b in schedule:
        if b not in places:
            raise BenchError(
                f"{who} reads the attention of block {b}, which has none of frames to frames; "
                f"expected b among {', '.join(map(str, places)) or 'none'}"
            )

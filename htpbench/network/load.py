"""A network from its name, for programs that want no study."""

from __future__ import annotations

from htpbench.network import weights as files
from htpbench.network.build import build
from htpbench.network.lifter import Lifter
from htpbench.systems.combination import parse


def load(
    combination: str, weights: str | None = None, pipeline: str | None = None, masked: bool = False
) -> Lifter:
    """A combination as an `nn.Module` in evaluation mode.

    It takes a 2D clip (B, F, J, channels) in screen units and gives `Lifted`: poses (B, f, J, 3) in
    metres and the numbers of their frames. weights: a shipped name or a path; without them fresh
    ones are drawn from torch's global generator. BenchError for a wrong combination or weights that
    do not fit.
    """
    parsed = parse(combination)
    if weights is None:
        return build(parsed, pipeline, masked=masked).eval()
    path = files.find(weights)
    tensors, card = files.read(path)
    any_schedule = files.schedule(path, card) == "any"
    lifter = build(parsed, pipeline, any_schedule, masked)
    files.load_into(lifter, parsed, tensors)
    return lifter.eval()

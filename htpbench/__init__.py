"""One harness for token pruning in video pose transformers.

What third parties import stands here; nothing is loaded before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from htpbench.meters import Meter
    from htpbench.network.contracts import Backbone, Block, Lifted, Pruner, Recoverer, Shapes, View
    from htpbench.network.load import load
    from htpbench.records.measurement import Measurement
    from htpbench.systems.combination import parse
    from htpbench.systems.metric import Metric, PoseMetric
    from htpbench.systems.registry import BACKBONES, METERS, METRICS, PRUNERS, RECOVERERS

__version__ = "0.1.0"
__all__ = [
    "BACKBONES",
    "METERS",
    "METRICS",
    "PRUNERS",
    "RECOVERERS",
    "Backbone",
    "Block",
    "Lifted",
    "Measurement",
    "Meter",
    "Metric",
    "PoseMetric",
    "Pruner",
    "Recoverer",
    "Shapes",
    "View",
    "load",
    "parse",
]
PLACES = {
    "meters": ["Meter"],
    "network.contracts": [
        "Backbone",
        "Block",
        "Lifted",
        "Pruner",
        "Recoverer",
        "Shapes",
        "View",
    ],
    "network.load": ["load"],
    "records.measurement": ["Measurement"],
    "systems.combination": ["parse"],
    "systems.metric": ["Metric", "PoseMetric"],
    "systems.registry": ["BACKBONES", "METERS", "METRICS", "PRUNERS", "RECOVERERS"],
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    for module, names in PLACES.items():
        if name in names:
            return getattr(import_module(f"htpbench.{module}"), name)
    raise AttributeError(f"module 'htpbench' has no attribute {name!r}")

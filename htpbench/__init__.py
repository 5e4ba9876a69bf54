"""One harness for token pruning in video pose transformers.

What third parties import stands here; nothing is loaded before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from htpbench.engines import Engine
    from htpbench.errors import BenchError
    from htpbench.meters import Meter
    from htpbench.motion.clip import Clip, Take
    from htpbench.motion.dataset import Dataset, Motion
    from htpbench.motion.views import Views
    from htpbench.network.contracts import (
        Backbone,
        Block,
        Lifted,
        OnePose,
        Pruner,
        Recoverer,
        Shapes,
        View,
    )
    from htpbench.network.load import load
    from htpbench.records.measurement import Measurement
    from htpbench.systems.cards import BackboneCard
    from htpbench.systems.combination import parse
    from htpbench.systems.metric import Metric, PoseMetric
    from htpbench.systems.registry import (
        BACKBONES,
        DATASETS,
        ENGINES,
        METERS,
        METRICS,
        PRUNERS,
        RECOVERERS,
    )

__version__ = "0.2.0"
__all__ = [
    "BACKBONES",
    "DATASETS",
    "ENGINES",
    "METERS",
    "METRICS",
    "PRUNERS",
    "RECOVERERS",
    "Backbone",
    "BackboneCard",
    "BenchError",
    "Block",
    "Clip",
    "Dataset",
    "Engine",
    "Lifted",
    "Measurement",
    "Meter",
    "Metric",
    "Motion",
    "OnePose",
    "PoseMetric",
    "Pruner",
    "Recoverer",
    "Shapes",
    "Take",
    "View",
    "Views",
    "load",
    "parse",
]
PLACES = {
    "engines": ["Engine"],
    "errors": ["BenchError"],
    "meters": ["Meter"],
    "motion.clip": ["Clip", "Take"],
    "motion.dataset": ["Dataset", "Motion"],
    "motion.views": ["Views"],
    "network.contracts": [
        "Backbone",
        "Block",
        "Lifted",
        "OnePose",
        "Pruner",
        "Recoverer",
        "Shapes",
        "View",
    ],
    "network.load": ["load"],
    "records.measurement": ["Measurement"],
    "systems.cards": ["BackboneCard"],
    "systems.combination": ["parse"],
    "systems.metric": ["Metric", "PoseMetric"],
    "systems.registry": [
        "BACKBONES",
        "DATASETS",
        "ENGINES",
        "METERS",
        "METRICS",
        "PRUNERS",
        "RECOVERERS",
    ],
}


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    for module, names in PLACES.items():
        if name in names:
            return getattr(import_module(f"htpbench.{module}"), name)
    raise AttributeError(f"module 'htpbench' has no attribute {name!r}")

"""The contracts of third parties' parts, under the name that they import."""

from htpbench.network.contracts import Backbone, Block, Lifted, Pruner, Recoverer, Shapes, View
from htpbench.records.measurement import Measurement

__all__ = ["Backbone", "Block", "Lifted", "Measurement", "Pruner", "Recoverer", "Shapes", "View"]

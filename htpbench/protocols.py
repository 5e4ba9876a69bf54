"""The contracts of third parties' parts, under the name that they import."""

from htpbench.network.contracts import Backbone, Block, Lifted, Pruner, Recoverer, Shapes, View

__all__ = ["Backbone", "Block", "Lifted", "Pruner", "Recoverer", "Shapes", "View"]

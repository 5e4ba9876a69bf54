"""The registries of third parties' parts, under the name that they import."""

from htpbench.systems.registry import BACKBONES, PRUNERS, RECOVERERS, import_file

__all__ = ["BACKBONES", "PRUNERS", "RECOVERERS", "import_file"]

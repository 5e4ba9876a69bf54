"""Contract tests that third parties subclass: what the lifter relies on, checked with pytest.

from htpbench.testing import PrunerContract

class TestMine(PrunerContract):
    pruner = Mine()
"""

from htpbench.testing.backbones import BackboneContract
from htpbench.testing.data import DatasetContract
from htpbench.testing.engines import EngineContract
from htpbench.testing.meters import MeterContract
from htpbench.testing.pruners import PrunerContract
from htpbench.testing.recoverers import RecovererContract

__all__ = [
    "BackboneContract",
    "DatasetContract",
    "EngineContract",
    "MeterContract",
    "PrunerContract",
    "RecovererContract",
]

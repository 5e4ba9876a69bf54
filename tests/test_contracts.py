"""The contracts that third parties subclass, on what is built here."""

from functools import cache

import pytest
from paths import REAL_MOTION, needs_real_motion

from htpbench.backbones.d3dp import D3DP
from htpbench.backbones.hdformer import HDFormer
from htpbench.backbones.ktpformer import KTPFormer
from htpbench.backbones.mhformer import MHFormer
from htpbench.backbones.mixste import MixSTE
from htpbench.backbones.motionagformer import MotionAGFormer
from htpbench.backbones.motionbert import MotionBERT
from htpbench.backbones.poseformer import PoseFormer
from htpbench.backbones.pstmo import PSTMO
from htpbench.backbones.stcformer import STCFormer
from htpbench.backbones.strided import Strided
from htpbench.backbones.uplift import Uplift
from htpbench.datasets.npz import Npz
from htpbench.datasets.synthetic import Synthetic
from htpbench.pruners.htp import HTP
from htpbench.pruners.mgptp import MGPTP
from htpbench.pruners.tcep import TCEP
from htpbench.pruners.tpa import TPA
from htpbench.pruners.tpc import TPC
from htpbench.pruners.tpmo import TPMo
from htpbench.pruners.tps import TPS
from htpbench.recoverers.tra import TRA
from htpbench.recoverers.trc import TRC
from htpbench.recoverers.tri import TRI
from htpbench.testing import (
    BackboneContract,
    DatasetContract,
    PrunerContract,
    RecovererContract,
)

SMALL = dict(blocks=3, width=16, heads=2, mlp_ratio=2.0, drop_path=0.1)


class TestMixSTE(BackboneContract):
    backbone = MixSTE
    variant = SMALL


TWO_STREAMS = dict(blocks=3, width=16, heads=2, mlp_ratio=2.0, representation=8)
NEIGHBOURS = dict(neighbours=2)


class TestD3DP(BackboneContract):
    backbone = D3DP
    variant = TestMixSTE.variant


class TestMotionBERT(BackboneContract):
    backbone = MotionBERT
    variant = TWO_STREAMS


class TestMotionAGFormer(BackboneContract):
    backbone = MotionAGFormer
    variant = TWO_STREAMS | NEIGHBOURS


class TestKTPFormer(BackboneContract):
    backbone = KTPFormer
    variant = SMALL
    first = 1


class TestPoseFormer(BackboneContract):
    backbone = PoseFormer
    variant = SMALL
    idle = frozenset({"weighted_mean.bias"})  # the norm behind it takes it away


SPATIAL = dict(spatial_blocks=2, spatial_width=8)
STRIDED = dict(strides=[3, 3], paddings=[(1, 1), (0, 0)], barred=1)


class TestUplift(BackboneContract):
    backbone = Uplift
    variant = SMALL | SPATIAL | STRIDED
    idle = frozenset({"token"})  # a lifter gives every token its 2D


HYPOTHESES = dict(blocks=3, width=16, heads=2, hidden=32, encoder_depth=2, encoder_heads=9)
DROPPED = dict(drop_path=0.1, dropout=0.1, embedding_dropout=0.1)


class TestMHFormer(BackboneContract):
    backbone = MHFormer
    variant = HYPOTHESES | DROPPED


class TestMHFormerOfLongClips(TestMHFormer):
    frames = 36


CRISS_CROSS = dict(blocks=3, width=16, heads=2, dropout=0.1, part_dropout=0.5)


class TestSTCFormer(BackboneContract):
    backbone = STCFormer
    variant = CRISS_CROSS


DROPPED_TWICE = dict(dropout=0.1, embedding_dropout=0.1)
STRIDED = dict(blocks=3, width=16, heads=2, hidden=32, strides=(), **DROPPED_TWICE)


class TestStrided(BackboneContract):
    backbone = Strided
    variant = STRIDED


class TestStridedOfMoreStrides(TestStrided):
    frames = 28  # to 10, 4, 2 and 1
    kept = 20  # to 7, 3, 1 and 1: attention to a single frame has nothing to learn
    idle = frozenset(
        f"reductions.3.attention.{part}.{kind}"
        for part in ("query", "key")
        for kind in ("weight", "bias")
    )


class TestPSTMO(BackboneContract):
    backbone = PSTMO
    variant = STRIDED


NO_BLOCKS = dict(blocks=0, widths=[8, 8, 16, 16, 16], heads=2, bones=4, dropout=0.1)


class TestHDFormer(BackboneContract):
    backbone = HDFormer
    variant = NO_BLOCKS
    frames = 16


class TestTPS(PrunerContract):
    pruner = TPS()


class TestTPC(PrunerContract):
    pruner = TPC()


class TestTPCWithThreeNeighbours(PrunerContract):
    pruner = TPC(k=3)


class TestTPA(PrunerContract):
    pruner = TPA()


class TestTCEP(PrunerContract):
    pruner = TCEP()


class TestMGPTP(PrunerContract):
    pruner = MGPTP()


class TestHTP(PrunerContract):
    pruner = HTP()


class TestTPAAsPrinted(PrunerContract):
    pruner = TPA(rule="printed")


class TestTPMo(PrunerContract):
    pruner = TPMo()


class TestTPMoAsPrinted(PrunerContract):
    pruner = TPMo(rule="printed")


class TestTRA(RecovererContract):
    recoverer = TRA


FOUR_HEADS = dict(heads=4)


class TestTRAWithFourHeads(RecovererContract):
    recoverer = TRA
    options = FOUR_HEADS


class TestTRC(RecovererContract):
    recoverer = TRC


class TestTRI(RecovererContract):
    recoverer = TRI
    exact = True


synthetic = cache(Synthetic)


class TestSynthetic(DatasetContract):
    spec = "synthetic"


@cache
def real():
    return Npz(str(REAL_MOTION))


@needs_real_motion
class TestCMU17(DatasetContract):
    @pytest.fixture
    def data(self):
        return real()

    @pytest.fixture
    def views(self, data):
        return [data.views("test")]

    test_views_are_the_same_when_asked_again = None  # long, and as of other motion

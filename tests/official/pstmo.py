"""P-STMO, with the head that speaks in training alone."""

from htpbench.backbones.pstmo import PSTMO
from official.strided import run


def run_pstmo(case, tensors, state):
    run(PSTMO, "pstmo-243", case, tensors, state)


RUNNERS = {"pstmo": run_pstmo}

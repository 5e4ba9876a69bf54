"""What is prepared for a borrowed GPU runs, at a tiny size, where there is none."""

import os
import re
import subprocess
import sys

import pytest
from paths import ROOT

STEPS = ("ceilings", "tests", "times", "steps", "training")


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="benchmarks are not installed")
def test_every_step_of_the_gpu_script_comes_to_its_end(tmp_path):
    command = [ROOT / "benchmarks" / "gpu.sh", "--rehearse", "--minutes", "4", "--out", tmp_path]
    brief = {f"{step}_SECONDS": "1" for step in ("TIMES", "STEPS", "TRAINING")}
    brief |= {"PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}  # threads wait for a busy machine
    done = subprocess.run(command, env=os.environ | brief, capture_output=True, text=True)
    ended = dict(re.findall(r"^== (\w+): \d+ s, exit (\d+)$", done.stdout, re.MULTILINE))
    assert ended == dict.fromkeys(STEPS, "0"), done.stdout[-3000:] + done.stderr[-2000:]
    assert (tmp_path / "results.tar.gz").stat().st_size > 1000

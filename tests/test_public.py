"""The names for third parties: one curated place, the older ones, what README shows."""

import re
import subprocess
import sys

import pytest
import small
import torch
from paths import ROOT

import htpbench
from htpbench.errors import BenchError
from htpbench.network import build, contracts
from htpbench.systems import registry

CONTRACTS = ["Backbone", "Block", "Lifted", "Measurement", "Pruner", "Recoverer", "Shapes", "View"]
POSITIONS = ["density_peaks", "distances", "even_positions", "published_pooling", "top"]
OLD = {
    "protocols": CONTRACTS,
    "registry": ["BACKBONES", "PRUNERS", "RECOVERERS", "import_file"],
    "selection": [*POSITIONS, "with_kept"],
}


@pytest.mark.parametrize("name", htpbench.__all__)
def test_every_public_name_is_there(name):
    assert getattr(htpbench, name) is not None


def test_what_is_no_name_is_none():
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        htpbench.lode  # noqa: B018


@pytest.mark.parametrize("module", OLD)
def test_older_paths_lead_to_the_same(module):
    found = __import__(f"htpbench.{module}", fromlist=OLD[module])
    assert set(found.__all__) == set(OLD[module])
    if module == "protocols":
        assert found.Pruner is contracts.Pruner is htpbench.Pruner
    if module == "registry":
        assert found.PRUNERS is registry.PRUNERS is htpbench.PRUNERS


def test_importing_it_imports_nothing_heavy():
    code = "import sys, htpbench; print({'torch', 'numpy', 'optuna'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_network_from_its_name():
    torch.manual_seed(0)
    fresh = htpbench.load(small.PRUNED)
    torch.manual_seed(0)
    inputs = fresh.example()
    expected = build.build(small.PRUNED).eval()(*inputs).poses
    assert not fresh.training and fresh(*inputs).poses.equal(expected)
    trained = htpbench.load("mixste.tiny-81+tps:9@1+tri", weights="mixste.tiny-81")
    again = htpbench.load("mixste.tiny-81+tps:9@1+tri", weights="mixste.tiny-81")
    clip = trained.example()
    assert trained(*clip).poses.equal(again(*clip).poses)
    with pytest.raises(BenchError, match=r"missing|shape"):
        htpbench.load("mixste.tiny-27", weights="mixste.tiny-81")
    assert htpbench.load(small.PRUNED, pipeline="seq2frame").centred


@pytest.mark.slow
def test_the_programs_of_the_readme_run(tmp_path):
    program, pruner = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    exec(program, found := {})
    assert found["poses"].shape == (1, 81, 17, 3)
    (tmp_path / "my_pruner.py").write_text(pruner)
    command = ("--import", "my_pruner.py", "cost", "mixste.tiny-81+first:9@1+tri")
    code, out, err = small.finished(small.launched("-m", "htpbench", *command, cwd=tmp_path))
    assert code == 0 and "first:9@1" in out, err

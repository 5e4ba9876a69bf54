"""Every golden case of the official code, one test a case, found by the files in the folders."""

import json
import os
from pathlib import Path

import pytest
import torch
from official import RUNNERS
from paths import ROOT, SHARED
from safetensors.torch import load_file

from htpbench.errors import NotBuilt
from htpbench.registry import BACKBONES

FOLDERS = [Path(os.environ.get("HTPBENCH_GOLDEN", ROOT / "tests/golden")), SHARED / "golden"]


def cases():
    found = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.json")):
            found.setdefault(path.stem, path)
    for name, path in found.items():
        family = name.rpartition("-")[0] or name
        missing = pytest.mark.xfail(strict=True, raises=NotBuilt)
        yield pytest.param(path, family, id=name, marks=() if family in RUNNERS else missing)


@pytest.mark.parametrize(("path", "family"), list(cases()))
def test_equals_the_official_code(path, family):
    case = json.loads(path.read_text())
    tensors = load_file(path.with_suffix(".safetensors"))
    state = {k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")}
    runner = RUNNERS.get(family)
    if runner is None:
        expect_built(family)
    with torch.inference_mode():
        runner(case, tensors, state)


def expect_built(family):
    """Raise NotBuilt for a family of a system without code."""
    for name in ("motionbert", "motionagformer", "mhformer", "ktpformer", "d3dp", "diffpose"):
        if name in family:
            BACKBONES.load(name)

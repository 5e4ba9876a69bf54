"""Every golden case of the official code, one test a case, found by the files in the folders."""

import json

import packed
import pytest
import torch
from official import RUNNERS
from official.d3dp import network, run_sample
from paths import GOLDEN, SHARED, golden, needs_shared

from htpbench.diffusion.hypotheses import sample
from htpbench.diffusion.schedule import cosine, times
from htpbench.systems.registry import BACKBONES

LIMIT = 3_000_000  # bytes of tests/golden


def family_of(name):
    return name.rpartition("-")[0] or name


def cases():
    for name, path in golden().items():
        family = family_of(name)
        yield pytest.param(path, family, id=name)


@pytest.mark.parametrize(("path", "family"), list(cases()))
def test_equals_the_official_code(path, family):
    case = json.loads(path.read_text())
    tensors = packed.tensors(path)
    state = {k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")}
    with torch.inference_mode():
        RUNNERS[family](case, tensors, state)


def test_every_family_has_a_committed_case():
    committed = {family_of(path.stem) for path in GOLDEN.glob("*.json")}
    assert set(RUNNERS) <= committed
    assert set(BACKBONES.shipped) <= {
        word for family in committed & set(RUNNERS) for word in family.split("_")
    }
    assert sum(path.stat().st_size for path in GOLDEN.iterdir()) <= LIMIT


@needs_shared
def test_what_is_committed_is_what_the_official_code_gave():
    for path in sorted(GOLDEN.glob("*.json")):
        for theirs in (SHARED / "golden" / path.name, SHARED / "golden-further" / path.name):
            if theirs.is_file():
                assert theirs.read_bytes() == path.read_bytes(), path.stem
                ours = packed.unpack(path.with_suffix(".xz").read_bytes())
                assert packed.digest(ours) == packed.digest(packed.beside(theirs)), path.stem


@pytest.mark.parametrize("steps", [1, 5])
def test_a_case_may_have_any_number_of_steps(steps):
    """The case says how many, not its runner: the one that is there has 3."""
    tensors = packed.tensors(GOLDEN / "d3dp_denoiser-a.json")
    state = {k.removeprefix("weights/"): v for k, v in tensors.items() if k.startswith("weights/")}
    shares = cosine()
    state["betas"] = 1 - shares / torch.cat((shares.new_ones(1), shares[:-1]))
    args = {"frames": 9, "embed": 32, "depth": 3, "sampling_timesteps": steps, "timestep": 1000}
    torch.manual_seed(0)
    clip, noise = tensors["input"][:1], torch.randn(1, 2, steps, 9, 17, 3)
    drawn = {f"noise_{step}": noise[:, :, step] for step in range(steps)}
    with torch.inference_mode():
        output = sample(network(args, state), clip, noise)
        case = {"args": args, "times": times(1000, steps)}
        run_sample(case, {"input": clip, "output": output, **drawn}, state)
